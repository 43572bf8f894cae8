// Compile-time promises: checked by `npm run types`, never run.
import { AuthorizeChannel, defineChannel, SseModule, type } from '../../src/sse/index.js';
import type { ChannelAccess, Denial, Identity, MatchedParams } from '../../src/sse/index.js';
import { isOf, same } from './expect-type.js';

const Order = defineChannel('tenants/:tenant/orders/:order', { events: { shipped: type<undefined>() } });

interface OwnRequest {
  readonly session: string;
}

export class ParametersAreThoseOfThePattern {
  @AuthorizeChannel('rooms/:room')
  ofPattern({ params, channel, user }: ChannelAccess<{ room: string }>): boolean {
    isOf<string>()(params.room, true);
    isOf<string>()(channel, true);
    isOf<string | undefined>()(user, true);
    return true;
  }

  @AuthorizeChannel(Order)
  async ofDefinition({ params }: ChannelAccess<{ tenant: string; order: string }>): Promise<boolean> {
    return params.tenant === params.order;
  }

  @AuthorizeChannel(Order)
  @AuthorizeChannel('tenants/:tenant')
  ofSeveral({ params }: ChannelAccess<{ tenant: string }, OwnRequest>): boolean {
    return params.tenant === 'a';
  }

  @AuthorizeChannel('rooms/:room')
  withRequest({ request }: ChannelAccess<{ room: string }, OwnRequest>): boolean {
    isOf<string>()(request.session, true);
    return true;
  }

  @AuthorizeChannel('news')
  ofNothing(): boolean {
    return true;
  }

  @AuthorizeChannel('rooms/:room')
  ofAnyParameters({ params }: ChannelAccess): boolean {
    return params.whatever === 'a';
  }
}

export class WhatIsWrongIsAnError {
  // @ts-expect-error: the parameter is misnamed
  @AuthorizeChannel('rooms/:room')
  misnamed({ params }: ChannelAccess<{ rooms: string }>): boolean {
    return params.rooms === '';
  }

  // @ts-expect-error: the definition has another one
  @AuthorizeChannel(Order)
  ofAnother({ params }: ChannelAccess<{ tenant: string; id: string }>): boolean {
    return params.id === '';
  }

  // @ts-expect-error: a parameter is a text
  @AuthorizeChannel('rooms/:room')
  ofNumbers({ params }: ChannelAccess<{ room: number }>): boolean {
    return params.room === 1;
  }

  // @ts-expect-error: the pattern has none
  @AuthorizeChannel('news')
  ofNothing({ params }: ChannelAccess<{ room: string }>): boolean {
    return params.room === '';
  }

  // @ts-expect-error: what is only truthy grants nothing
  @AuthorizeChannel('rooms/:room')
  answersWithText(): string {
    return 'yes';
  }

  // @ts-expect-error: nobody would wait for it
  @AuthorizeChannel('rooms/:room')
  answersWithNothing(): void {}

  // @ts-expect-error: it is given one argument
  @AuthorizeChannel('rooms/:room')
  takesTwo(_access: ChannelAccess, _request: unknown): boolean {
    return true;
  }
}

export function parametersThatAreRead(): void {
  same<MatchedParams<'rooms/:room'>, { readonly room: string }>(true);
  same<MatchedParams<':a/b/:c'>, { readonly a: string; readonly c: string }>(true);
  same<MatchedParams<string>, Readonly<Record<string, string>>>(true);
}

export function whoAClientIs(): void {
  SseModule.forRoot({ identify: (request: OwnRequest) => ({ user: request.session }) });
  SseModule.forRoot({ identify: async () => undefined });
  SseModule.forRoot({ identify: () => ({ user: 'ann', info: { name: 'Ann' }, expiresAt: new Date() }) });
  // @ts-expect-error: it has no name
  SseModule.forRoot({ identify: () => ({ info: 'Ann' }) });
  // @ts-expect-error: a time is no text
  SseModule.forRoot({ identify: () => ({ user: 'ann', expiresAt: '2099-01-01' }) });
  same<Identity['expiresAt'], number | Date | undefined>(true);
}

export function whatAClientIsTold(): void {
  same<Denial['reason'], 'forbidden' | 'revoked'>(true);
}
