import { expect, it } from '@jest/globals';
import { natsBackplane } from '../../src/sse/backplanes/nats/index.js';
import { redisBackplane } from '../../src/sse/backplanes/redis/index.js';
import type { BackplaneFactory, SseHub } from '../../src/sse/index.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { NatsServer } from '../support/nats-server.js';
import { RedisServer } from '../support/redis-server.js';
import { startSseApp } from '../support/sse-app.js';
import { listen } from '../support/open-stream.js';

const onRedis = async (path: string): Promise<BackplaneFactory> => {
  const server = await RedisServer.start(path);
  whenTestEnds(() => server.dispose());
  return redisBackplane({ connection: { url: server.url } });
};

const onNats = async (path: string): Promise<BackplaneFactory> => {
  const server = await NatsServer.start(path);
  whenTestEnds(() => server.dispose());
  return natsBackplane({ connection: { servers: server.address } });
};

/** The channel `a` is streamed here, and its copy was shrunk to its newest event, as another took the memory. */
async function shrunk(backplane: BackplaneFactory): Promise<{ url: string; ids: string[] }> {
  const { url, hub } = await startSseApp({
    sse: { limits: { historyBytes: 20_000 }, backplane },
    routes: {
      a: (hub: SseHub) => hub.stream('a'),
      b: (hub: SseHub) => hub.stream('b'),
      some: (hub: SseHub) => hub.stream('a', { replay: 5 }),
      all: (hub: SseHub) => hub.stream('a', { replay: 'all' }),
    },
  });
  const [one, other] = [await listen(`${url}/a`), await listen(`${url}/b`)];
  const ids: string[] = [];
  for (const data of ['1', '2', '3', '4', '5', '6']) ids.push(await hub.publish('a', { data }));
  await one.take(6);
  for (const data of ['x', 'y']) await hub.publish('b', { data: data.repeat(9_990) });
  await other.take(2);
  return { url, ids };
}

for (const [program, open] of [
  ['redis-server', onRedis],
  ['nats-server', onNats],
] as const) {
  describeWith(
    program,
    `an instance on ${program} that keeps less than the server, for lack of memory`,
    (path) => {
      it('gives a client that comes back what it has missed, without a gap', async () => {
        const { url, ids } = await shrunk(await open(path));
        const client = await listen(`${url}/a`, { lastEventId: ids[1]! });
        expect((await client.take(4)).map(({ text }) => text)).toEqual(['3', '4', '5', '6']);
      });

      it('gives a new client all that it is to be given', async () => {
        const { url } = await shrunk(await open(path));
        const some = await listen(`${url}/some`);
        expect((await some.take(5)).map(({ text }) => text)).toEqual(['2', '3', '4', '5', '6']);
      });

      it('tells of no gap where the beginning is there', async () => {
        const { url } = await shrunk(await open(path));
        const all = await listen(`${url}/all`);
        expect((await all.take(6)).map(({ text }) => text)).toEqual(['1', '2', '3', '4', '5', '6']);
      });
    },
  );
}
