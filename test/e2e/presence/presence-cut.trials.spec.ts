import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { natsBackplane } from '../../../src/sse/backplanes/nats/index.js';
import { redisBackplane } from '../../../src/sse/backplanes/redis/index.js';
import type { BackplaneFactory } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { describeWith } from '../../support/describe-with.js';
import { eventually } from '../../support/eventually.js';
import { NatsServer } from '../../support/nats-server.js';
import { RedisServer } from '../../support/redis-server.js';
import { startSseApp, type RouteRequest, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

type Make = (port: number, prefix: string) => BackplaneFactory;

const startOn = (backplane: BackplaneFactory): Promise<SseApp> =>
  startSseApp({
    routes: { room: (hub, { query }) => hub.stream('room', { lastEventId: query['from'] ?? '' }) },
    sse: {
      presence: { events: true, grace: 100 },
      identify: ({ query }: RouteRequest) => (query['user'] ? { user: query['user'] } : undefined),
      backplane,
    },
  });

const enter = ({ url }: SseApp, user: string): Promise<TestStream> => listen(`${url}/room?user=${user}`);

/** What happened, as `join ada`. */
const happened = (watcher: TestStream): string[] =>
  watcher.events.map(({ type, data }) => `${type} ${(data as { user: string }).user}`);

/** Who is there, as somebody sees it who follows the events from a list on. */
function follow(members: readonly string[], watcher: TestStream): string[] {
  const there = new Set(members);
  for (const [type, user] of happened(watcher).map((text) => text.split(' ')))
    if (type === 'join') there.add(user!);
    else there.delete(user!);
  return [...there].sort();
}

async function usersOf({ hub }: SseApp): Promise<string[]> {
  return (await hub.presence('room')).map(({ user }) => user).sort();
}

function describeCuts(make: Make, portOf: () => number): void {
  const start = async (): Promise<{ whole: SseApp; cut: SseApp; proxy: TcpProxy }> => {
    const proxy = await TcpProxy.to(portOf());
    const prefix = randomUUID();
    const [whole, cut] = [await startOn(make(portOf(), prefix)), await startOn(make(proxy.port, prefix))];
    whenTestEnds(() => proxy.close());
    whenTestEnds(() => proxy.mend());
    return { whole, cut, proxy };
  };

  it.each([
    ['which announces', ['cut', 'whole']],
    ['for which another announces', ['whole', 'cut']],
  ] as const)(
    'of an instance %s and that is cut off for seconds leave, and join again',
    async (_, [first, second]) => {
      const { proxy, ...apps } = await start();
      const watcher = await listen(`${apps.whole.url}/room`);
      const users = { whole: 'bob', cut: 'ann' };
      const clients = {
        whole: undefined as TestStream | undefined,
        cut: undefined as TestStream | undefined,
      };
      for (const one of [first, second]) {
        clients[one] = await enter(apps[one], users[one]);
        await eventually(() => happened(watcher).includes(`join ${users[one]}`));
      }
      const members = await apps.whole.hub.presence('room');
      expect(members.map(({ user }) => user).sort()).toEqual(['ann', 'bob']);
      const late = await listen(`${apps.whole.url}/room?from=${members.position}`);

      proxy.cut();
      await eventually(() => happened(watcher).includes('leave ann'));
      await eventually(async () => String(await usersOf(apps.whole)) === 'bob');
      await enter(apps.cut, 'eve'); // she comes where nobody hears of it
      proxy.mend();
      await eventually(() => happened(watcher).includes('join eve'));
      await eventually(
        () => happened(watcher).lastIndexOf('join ann') > happened(watcher).indexOf('leave ann'),
      );
      await eventually(async () => String(await usersOf(apps.whole)) === 'ann,bob,eve');
      const names = members.map(({ user }) => user);
      await eventually(() => String(follow([], watcher)) === 'ann,bob,eve');
      await eventually(() => String(follow(names, late)) === 'ann,bob,eve');

      clients.cut!.close();
      await eventually(() => String(follow([], watcher)) === 'bob,eve');
      await eventually(async () => String(await usersOf(apps.whole)) === 'bob,eve');
    },
  );
}

describeWith('redis-server', 'members on Redis', (path) => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start(path);
  });
  afterAll(() => server.dispose());
  describeCuts(
    (port, prefix) => redisBackplane({ prefix, connection: { url: `redis://127.0.0.1:${port}` } }),
    () => server.port,
  );
});

describeWith('nats-server', 'members on NATS', (path) => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await NatsServer.start(path);
  });
  afterAll(() => server.dispose());
  describeCuts(
    (port, prefix) => natsBackplane({ prefix, connection: { servers: `127.0.0.1:${port}` } }),
    () => server.port,
  );
});
