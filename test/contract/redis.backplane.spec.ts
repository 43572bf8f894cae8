import { afterAll, beforeAll } from '@jest/globals';
import { redisBackplane } from '../../src/sse/backplanes/redis/index.js';
import { describeWith } from '../support/describe-with.js';
import { RedisServer } from '../support/redis-server.js';
import { describeProxied } from './proxied-backplane.js';

describeWith('redis-server', 'with a Redis', (path) => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start(path);
  });

  afterAll(() => server.dispose());

  describeProxied(
    'redis',
    () => server,
    (port) => redisBackplane({ connection: { url: `redis://127.0.0.1:${port}` } }),
  );
});
