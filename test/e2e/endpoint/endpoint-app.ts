import { Global, Inject, Injectable, Module, UnauthorizedException, type CanActivate } from '@nestjs/common';
import type { ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { AuthorizeChannel, SseModule, defineChannel, type ChannelAccess } from '../../../src/sse/index.js';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import type { OpenStreamOptions, TestEvent, TestStream } from '../../../src/sse/testing/index.js';
import { startSseApp, type SseApp, type SseAppOptions } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

/** Says who is let in. */
@Injectable()
class Doorman {
  letsIn({ headers }: IncomingMessage): boolean {
    return headers['x-token'] !== 'wrong';
  }
}

@Global()
@Module({ providers: [Doorman], exports: [Doorman] })
export class DoorModule {}

@Injectable()
export class TokenGuard implements CanActivate {
  constructor(@Inject(Doorman) private readonly doorman: Doorman) {}

  canActivate(context: ExecutionContext): boolean {
    if (this.doorman.letsIn(context.switchToHttp().getRequest())) return true;
    throw new UnauthorizedException();
  }
}

/** Rooms are for everybody but `rooms/secret`, a user's box for the user. Of other channels nobody says anything. */
@Injectable()
export class TestAccess {
  /** Who asked for what, and with which request. */
  readonly asked: ChannelAccess<object, IncomingMessage>[] = [];
  /** What is not granted any more. */
  readonly closed = new Set<string>();
  /** Answers the questions about `rooms/asked`, in the order in which they were asked. */
  readonly questions: ((isGranted: boolean) => void)[] = [];

  @AuthorizeChannel('rooms/:room')
  mayEnter(access: ChannelAccess<{ room: string }>): boolean | Promise<boolean> {
    this.asked.push(access);
    if (access.params.room === 'never') return new Promise(() => undefined);
    if (access.params.room === 'asked') return new Promise((resolve) => this.questions.push(resolve));
    if (access.params.room === 'broken') throw new Error('The database is away.');
    return access.params.room !== 'secret' && !this.closed.has(access.channel);
  }

  @AuthorizeChannel('typing/:room')
  maySeeTyping(_access: ChannelAccess<{ room: string }>): boolean | Promise<boolean> {
    return true;
  }

  @AuthorizeChannel('boxes/:user')
  isOwn({ params, user }: ChannelAccess<{ user: string }>): boolean | Promise<boolean> {
    return params.user === user;
  }
}

/** A channel without history. */
export const Typing = defineChannel('typing/:room', { history: 0 });

export const byHeader = (request: IncomingMessage): { user: string } | undefined => {
  const user = request.headers['x-user'];
  return typeof user === 'string' ? { user } : undefined;
};

/** An app with the endpoint at `/events`. */
export function startEndpointApp(
  sse: SseModuleOptions = {},
  options: Omit<SseAppOptions, 'sse'> = {},
): Promise<SseApp & { readonly access: TestAccess }> {
  const endpoint = { path: '/events', guards: [TokenGuard] };
  const { providers = [], imports = [] } = options;
  return startSseApp({
    ...options,
    sse: { identify: byHeader, ...sse, endpoint },
    providers: [TestAccess, ...providers],
    imports: [DoorModule, SseModule.forFeature([Typing]), ...imports],
  }).then((started) => ({ ...started, access: started.app.get(TestAccess) }));
}

/** Headers that ask for ids of the event's own channel. */
export const OWN_IDS = { accept: 'text/event-stream;ids=own' };

/** A client and the id of its connection. */
export async function openEndpoint(
  url: string,
  channels: readonly string[],
  options: OpenStreamOptions = {},
): Promise<{ client: TestStream; id: string }> {
  const query = channels.map((channel) => `channel=${encodeURIComponent(channel)}`).join('&');
  const client = await listen(`${url}/events?${query}`, options);
  return { client, id: idOf(await client.next()) };
}

/** The id that the event `connection` tells. */
export function idOf({ type, data, text }: TestEvent): string {
  if (type !== 'connection') throw new Error(`This is no connection event: ${type} ${text}`);
  return (data as { id: string }).id;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever came
  readonly body: any;
}

/** Joins and leaves; `body` is sent as it is if it is a string. */
export async function change(
  url: string,
  id: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(`${url}/events/${id}/channels`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  let answered: unknown = text;
  try {
    answered = JSON.parse(text);
  } catch {
    // It is no JSON.
  }
  return { status: response.status, headers: response.headers, body: answered };
}
