import { Controller, Inject, Injectable, Query, UnauthorizedException, UseGuards } from '@nestjs/common';
import type { CanActivate, ExecutionContext, Type } from '@nestjs/common';
import { Sse as StockSse } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { AuthorizeChannel, Sse, SseHub } from '../../../src/sse/index.js';
import type { ChannelAccess, Identity, SseModuleOptions } from '../../../src/sse/index.js';
import type { OpenStreamOptions, TestStream } from '../../../src/sse/testing/index.js';
import { startSseApp, type SseApp, type SseAppOptions } from '../../support/sse-app.js';
import { answerTo, listen, type Answer } from '../../support/open-stream.js';

/** A request, with what the guard has left on it. */
export interface KnownRequest {
  user?: { name: string };
  readonly headers: Readonly<Record<string, string>>;
  readonly url: string;
}

/** Lets in who says a name, and leaves it on the request. */
@Injectable()
export class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<KnownRequest>();
    const name = request.headers.authorization;
    if (name === undefined) throw new UnauthorizedException();
    request.user = { name };
    return name !== 'mallory';
  }
}

export const identify = (request: KnownRequest): Identity | undefined =>
  request.user && { user: request.user.name };

/** Decides about `rooms/:room`. Everybody has the rooms that are called like themselves, until a test says otherwise. */
@Injectable()
export class Rooms {
  readonly asked: ChannelAccess<{ readonly room: string }, KnownRequest>[] = [];
  answer: (access: ChannelAccess<{ readonly room: string }>) => unknown = ({ params, user }) =>
    params.room.startsWith(String(user));

  @AuthorizeChannel('rooms/:room')
  mayEnter(access: ChannelAccess<{ readonly room: string }>): boolean | Promise<boolean> {
    this.asked.push(access);
    return this.answer(access) as boolean;
  }
}

/** Streams what a client asks for: `?channel=rooms/a&channel=news`. */
@Controller()
@UseGuards(TokenGuard)
export class StreamsController {
  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  @Sse('events')
  events(@Query('channel') channel: string | string[]): Observable<unknown> {
    return this.hub.stream(channel);
  }

  @StockSse('stock')
  stock(@Query('channel') channel: string | string[]): Observable<unknown> {
    return this.hub.stream(channel);
  }
}

export interface RoomsApp extends SseApp {
  readonly rooms: Rooms;
  /** Opens `/events`, or another path, as somebody. */
  readonly open: (user: string, ...channels: string[]) => Promise<TestStream>;
  readonly openAt: (path: string, user: string, lastEventId?: string) => Promise<TestStream>;
  /** How the same is answered where it may be refused. */
  readonly answer: (user: string, ...channels: string[]) => Promise<Answer>;
  readonly answerAt: (path: string, user: string, lastEventId?: string) => Promise<Answer>;
}

export interface RoomsAppOptions extends Omit<SseAppOptions, 'sse'> {
  readonly sse?: SseModuleOptions;
}

/** An app with a guard that knows its users, and rooms that are theirs. */
export async function startRoomsApp({
  controllers,
  providers = [],
  sse,
  ...options
}: RoomsAppOptions = {}): Promise<RoomsApp> {
  const app = await startSseApp({
    ...options,
    controllers: controllers ?? ([StreamsController] as Type[]),
    providers: [Rooms, ...providers],
    sse: { identify, heartbeat: 0, ...sse },
  });
  const as = (user: string, lastEventId?: string): OpenStreamOptions => ({
    headers: { authorization: user },
    ...(lastEventId !== undefined && { lastEventId }),
  });
  return {
    ...app,
    rooms: app.app.get(Rooms),
    openAt: (path, user, lastEventId) => listen(app.url + path, as(user, lastEventId)),
    open: (user, ...channels) => listen(app.url + pathOf(channels), as(user)),
    answerAt: (path, user, lastEventId) => answerTo(app.url + path, as(user, lastEventId)),
    answer: (user, ...channels) => answerTo(app.url + pathOf(channels), as(user)),
  };
}

export const pathOf = (channels: readonly string[], path = '/events'): string =>
  `${path}?${channels.map((name) => `channel=${encodeURIComponent(name)}`).join('&')}`;

/** The data of all events so far that are no `denied`. */
export const dataOf = (client: TestStream): string[] =>
  client.events.filter(({ type }) => type !== 'denied').map(({ text }) => text);
