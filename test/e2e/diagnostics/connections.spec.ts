import { Injectable } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { concat, NEVER, of, Subject, throwError } from 'rxjs';
import { AuthorizeChannel, defineChannel, SseModule } from '../../../src/sse/index.js';
import type { EndReason, SseModuleOptions, SseRouteOptions } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { startSseApp, untilConnections, type RouteRequest, type SseApp } from '../../support/sse-app.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { big, ServerSockets } from '../http/stalled.js';
import { instanceOf, Told } from './told.js';

const Room = defineChannel('rooms/:id', { history: { count: 2 } });

@Injectable()
class Rooms {
  @AuthorizeChannel(Room)
  mayEnter({ params }: { params: { id: string } }): boolean {
    return params.id !== 'secret';
  }
}

interface Started extends SseApp {
  /** Emits on every stream of `plain`, which heeds no back-pressure. */
  readonly source: Subject<object>;
}

async function start(sse: SseModuleOptions = {}, routeOptions: SseRouteOptions = {}): Promise<Started> {
  const source = new Subject<object>();
  const app = await startSseApp({
    sse: {
      identify: ({ query }: RouteRequest) =>
        query['user'] ? { user: query['user'], ...expiryOf(query) } : undefined,
      ...sse,
    },
    imports: [SseModule.forFeature([Room])],
    providers: [Rooms],
    routeOptions,
    routes: {
      events: (hub, { query }) => hub.stream(query['channels']!.split(',')),
      plain: () => source,
      done: () => of({ data: 'x' }),
      refused: () => throwError(() => new Error('at once')),
      fails: () =>
        concat(
          of({ data: 'x' }),
          throwError(() => new Error('later')),
        ),
      never: () => NEVER,
    },
  });
  return { ...app, source };
}

const expiryOf = ({ expires }: RouteRequest['query']): { expiresAt?: number } =>
  expires ? { expiresAt: Date.now() + Number(expires) } : {};

const LIFE = ['connection:began', 'connection:opened', 'connection:ended'] as const;

describe('a response', () => {
  it('is told of when it is let in, opened and over, always as the same object, with its hub', async () => {
    const app = await start();
    const told = Told.of(app, ...LIFE, 'stream:began', 'stream:ended');
    const client = await listen(`${app.url}/events?channels=rooms/a,news&user=ada`);
    const began = await told.next('connection:began');
    const { connection } = began;
    const streams = [await told.nextIfAny(), await told.nextIfAny(), await told.nextIfAny()];
    expect(streams.map((one) => one!.name).sort()).toEqual([
      'connection:opened',
      'stream:began',
      'stream:began',
    ]);
    const hub = instanceOf(app);
    expect(streams.map((one) => one!.message)).toEqual(
      expect.arrayContaining([
        { hub, connection, channel: 'rooms/a', definition: 'rooms/:id' },
        { hub, connection, channel: 'news', definition: undefined },
        { hub, connection, duration: expect.any(Number), isResumed: false },
      ]),
    );
    for (const one of streams) expect((one!.message as typeof began).connection).toBe(connection);
    const [listed] = await app.hub.connections();
    expect({ ...connection.info, instance: hub }).toEqual(listed);
    expect(connection.id).toBe(listed!.id);
    expect((connection.request as RouteRequest).query).toMatchObject({ user: 'ada' });

    client.close();
    const ended = await told.next('connection:ended');
    expect(ended).toEqual({ hub, connection, reason: 'client', duration: expect.any(Number) });
    expect(ended.connection).toBe(connection);
    const left = [await told.next('stream:ended'), await told.next('stream:ended')];
    expect(left.map(({ channel }) => channel).sort()).toEqual(['news', 'rooms/a']);
  });

  it('is resumed where its client came with a position', async () => {
    const app = await start();
    const lastEventId = await app.hub.publish('news', { data: 'x' });
    const told = Told.of(app, 'connection:opened');
    await listen(`${app.url}/events?channels=news`, { lastEventId });
    expect(await told.next('connection:opened')).toMatchObject({ isResumed: true });
  });

  it('is told of with its request', async () => {
    const app = await start();
    const told = Told.of(app, 'connection:began');
    await listen(`${app.url}/never`);
    // The adapter's request is there, with what guards and middleware have left on it.
    expect((await told.next('connection:began')).connection.request).toMatchObject({ url: '/never' });
  });
});

describe('the end of a response', () => {
  /** What ends a response, and what is told of that. */
  const ends: readonly (readonly [
    reason: EndReason,
    path: string,
    end: (app: Started, client: TestStream) => unknown,
    sse?: SseModuleOptions,
  ])[] = [
    ['completed', 'done', () => undefined],
    ['completed', 'events?channels=rooms/a', ({ hub }) => hub.complete('rooms/a')],
    ['failed', 'fails', () => undefined],
    ['client', 'never', (_, client) => client.drop()],
    ['expired', 'events?channels=news&user=ada&expires=50', () => undefined],
    ['revoked', 'events?channels=rooms/a&user=ada', ({ hub }) => hub.revoke('ada', 'rooms/a')],
    ['disconnected', 'never', ({ hub }) => hub.disconnect({})],
    ['age', 'never', () => undefined, { limits: { connectionAge: 50 } }],
    ['shutdown', 'never', ({ close }) => close()],
  ];

  it.each(ends.map(([reason, path, end, sse = {}]) => [reason, path, end, sse] as const))(
    'has the reason "%s" (/%s)',
    async (reason, path, end, sse) => {
      const app = await start(sse);
      const told = Told.of(app, ...LIFE);
      const client = await listen(`${app.url}/${path}`);
      await told.until(({ name }) => name === 'connection:opened');
      await end(app, client);
      await told.until(({ name }) => name === 'connection:ended');
      expect(told.all.at(-1)!.message).toMatchObject({ reason });
      expect(told.names.filter((name) => name === 'connection:ended')).toHaveLength(1);
    },
  );

  it.each(['refused', 'events?channels=rooms/secret'])('has the reason "refused" (/%s)', async (path) => {
    const app = await start();
    const told = Told.of(app, ...LIFE);
    await answerTo(`${app.url}/${path}`);
    await told.next('connection:began');
    expect(await told.next('connection:ended')).toMatchObject({ reason: 'refused' });
    expect(told.names).toHaveLength(2);
  });

  it('has the reason "slow" for a client that fell behind', async () => {
    const app = await start({ slow: 'disconnect', history: { count: 10 } });
    const told = Told.of(app, 'connection:ended', 'connection:backed-up');
    const sockets = new ServerSockets(app);
    const client = await listen(`${app.url}/events?channels=news`);
    client.pause();
    const socket = sockets.of(client);
    while (!socket.destroyed) {
      for (let i = 0; i < 5; i++) await app.hub.publish('news', big(i));
      await new Promise(setImmediate);
    }
    await told.next('connection:backed-up');
    expect(await told.next('connection:ended')).toMatchObject({ reason: 'slow' });
  });

  it('has the reason "overflow" for a client that does not read what cannot be paused', async () => {
    const app = await start();
    const told = Told.of(app, 'connection:ended', 'connection:backed-up');
    const sockets = new ServerSockets(app);
    const client = await listen(`${app.url}/plain`);
    client.pause();
    const socket = sockets.of(client);
    while (!socket.destroyed) {
      app.source.next(big(0));
      await new Promise(setImmediate);
    }
    await told.next('connection:backed-up');
    expect(await told.next('connection:ended')).toMatchObject({ reason: 'overflow' });
  });

  it('has the reason "gap" for a plain stream that cannot be given to its end', async () => {
    const app = await start({}, { plain: true });
    const lastEventId = await app.hub.publish('rooms/a', { data: 0 });
    for (let i = 1; i < 5; i++) await app.hub.publish('rooms/a', { data: i });
    const told = Told.of(app, 'stream:gap', 'connection:ended');
    // The connection breaks before the head, or after it.
    await listen(`${app.url}/events?channels=rooms/a`, { lastEventId }).catch(() => undefined);
    await told.next('stream:gap');
    expect(await told.next('connection:ended')).toMatchObject({ reason: 'gap' });
  });
});

describe('a client that is turned away', () => {
  const limits: readonly (readonly [limit: string, sse: SseModuleOptions])[] = [
    ['connections', { limits: { connections: 1 } }],
    ['connectionsPerKey', { limits: { connectionsPerKey: 1 } }],
    ['connectionsPerSecond', { limits: { connectionsPerSecond: 1 } }],
  ];

  it.each(limits)('is told of with the limit "%s", and as no connection', async (limit, sse) => {
    const app = await start(sse);
    await listen(`${app.url}/never`);
    const told = Told.of(app, ...LIFE, 'connection:refused');
    await answerTo(`${app.url}/never?token=secret`);
    expect(await told.next('connection:refused')).toEqual({ hub: instanceOf(app), limit, path: '/never' });
    await untilConnections(app.hub, 1);
    expect(told.names).toEqual(['connection:refused']);
  });

  it('is told of with "shutdown" while the application closes', async () => {
    const app = await start({ shutdown: { grace: 300 } });
    const stalled = await listen(`${app.url}/plain`);
    stalled.pause();
    for (let i = 0; i < 60; i++) app.source.next(big(i));
    const idle = await fetch(`${app.url}/nothing`, { headers: { connection: 'keep-alive' } });
    await idle.text();
    const told = Told.of(app, 'connection:refused', 'connection:ended');
    const closing = app.close();
    await told.next('connection:ended');
    const late = await fetch(`${app.url}/never`).catch(() => undefined);
    await late?.text();
    await closing;
    expect(await told.next('connection:refused')).toEqual({
      ...{ hub: instanceOf(app), limit: 'shutdown', path: '/never' },
    });
  });
});

describe('a stream', () => {
  it('is told of with its gap', async () => {
    const app = await start();
    const requested = await app.hub.publish('rooms/a', { data: 0 });
    for (let i = 1; i < 5; i++) await app.hub.publish('rooms/a', { data: i });
    const told = Told.of(app, 'stream:gap');
    await listen(`${app.url}/events?channels=rooms/a`, { lastEventId: requested });
    expect(await told.next('stream:gap')).toMatchObject({
      hub: instanceOf(app),
      connection: { info: { path: '/events' } },
      channel: 'rooms/a',
      definition: 'rooms/:id',
      reason: 'evicted',
      requested,
    });
  });

  it('is told of where it is denied, or revoked', async () => {
    const app = await start();
    const told = Told.of(app, 'stream:denied');
    await listen(`${app.url}/events?channels=rooms/a,rooms/secret,news&user=ada`);
    const definition = 'rooms/:id';
    expect(await told.next('stream:denied')).toMatchObject({
      ...{ channel: 'rooms/secret', definition, reason: 'forbidden' },
      connection: { info: { user: 'ada' } },
    });
    await app.hub.revoke('ada', 'rooms/a');
    expect(await told.next('stream:denied')).toMatchObject({
      ...{ channel: 'rooms/a', definition, reason: 'revoked' },
    });
  });
});
