// Compile-time promises: checked by `npm run types`, never run.
import type { Request } from 'express';
import {
  defineChannel,
  OnFirstSubscriber,
  OnLastUnsubscribed,
  OnSubscribe,
  OnUnsubscribe,
} from '../../src/sse/index.js';
import type { ChannelSubscription, ChannelUse } from '../../src/sse/index.js';
import { isOf } from './expect-type.js';

const Room = defineChannel('teams/:team/rooms/:room');
type RoomParams = { readonly team: string; readonly room: string };

export class WhatIsToldHasTheParametersOfThePattern {
  @OnSubscribe('teams/:team/rooms/:room')
  @OnUnsubscribe(Room)
  told({ channel, params, user, connection, request }: ChannelSubscription<RoomParams, Request>): void {
    isOf<string>()(channel, true);
    isOf<string>()(params.room, true);
    isOf<string | undefined>()(user, true);
    isOf<string>()(connection, true);
    isOf<Request>()(request, true);
  }

  @OnFirstSubscriber(Room)
  @OnLastUnsubscribed('teams/:team/rooms/:room')
  used({ channel, params }: ChannelUse<RoomParams>): void {
    isOf<string>()(channel, true);
    isOf<RoomParams>()(params, true);
  }
}

export class LessMayBeAskedFor {
  @OnSubscribe(Room)
  @OnFirstSubscriber('jobs')
  nothing(): void {}

  @OnUnsubscribe(Room)
  @OnLastUnsubscribed(Room)
  some({ params }: { params: { team: string } }): string {
    return params.team;
  }

  @OnSubscribe('a/:b')
  @OnFirstSubscriber('a/:b')
  async anyParams({ params }: ChannelUse): Promise<number> {
    return Object.keys(params).length;
  }
}

export class WhatThePatternHasNotIsAnError {
  // @ts-expect-error: the pattern has no such parameter
  @OnSubscribe('teams/:team')
  room(_told: ChannelSubscription<{ room: string }>): void {}

  // @ts-expect-error: the definition has no such parameter
  @OnUnsubscribe(Room)
  user(_told: ChannelSubscription<{ user: string }>): void {}

  // @ts-expect-error: a parameter is a string
  @OnFirstSubscriber('orders/:id')
  id(_told: ChannelUse<{ id: number }>): void {}

  // @ts-expect-error: the first subscriber of a channel is no connection
  @OnFirstSubscriber('orders/:id')
  connection(_told: ChannelSubscription<{ id: string }>): void {}

  // @ts-expect-error: a method that is called has one argument
  @OnLastUnsubscribed('orders/:id')
  two(_told: ChannelUse, _other: string): void {}
}
