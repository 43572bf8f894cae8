import { afterAll, beforeAll } from '@jest/globals';
import { redisBackplane } from '../../src/sse/backplanes/redis/index.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { describeWith } from '../support/describe-with.js';
import { RedisServer } from '../support/redis-server.js';
import { describeBackplane } from './backplane.contract.js';

describeWith('redis-server', 'with a Redis', (path) => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start(path);
  });

  afterAll(() => server.dispose());

  describeBackplane('redis', () =>
    Promise.resolve(redisBackplane({ connection: { url: server.url } })(moduleSettings().limits)),
  );
});
