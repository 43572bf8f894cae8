import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { natsBackplane } from '../../src/sse/backplanes/nats/index.js';
import { redisBackplane } from '../../src/sse/backplanes/redis/index.js';
import { channelOn } from '../../src/sse/testing/contracts/channel-under-test.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { holdLoop } from '../support/hold-loop.js';
import { NatsServer } from '../support/nats-server.js';
import { RedisServer } from '../support/redis-server.js';

const publishTimeout = 500;

const SERVERS = [
  {
    name: 'redis-server',
    start: async (path: string) => {
      const server = await RedisServer.start(path);
      return { server, open: redisBackplane({ publishTimeout, connection: { url: server.url } }) };
    },
  },
  {
    name: 'nats-server',
    start: async (path: string) => {
      const server = await NatsServer.start(path);
      return { server, open: natsBackplane({ publishTimeout, connection: { servers: server.address } }) };
    },
  },
] as const;

describe.each(SERVERS)('a process that was frozen for longer than publishTimeout', ({ name, start }) => {
  describeWith(name, `while ${name} has answered it`, (path) => {
    it('knows that its events are stored', async () => {
      const { server, open } = await start(path);
      whenTestEnds(() => server.dispose());
      const { backplane, cluster } = await open(moduleSettings().limits);
      whenTestEnds(async () => {
        await cluster!.close();
        await backplane.close();
      });
      const { append, read } = channelOn(backplane);
      await append('first');
      for (let n = 0; n < 3; n++) {
        const appending = append(n);
        // In this turn the request is written.
        await turn();
        // Long enough also for the search for what has waited for too long, every 500 ms.
        holdLoop(publishTimeout + 600);
        expect((await read()).head).toEqual(await appending);
      }
    });
  });
});
