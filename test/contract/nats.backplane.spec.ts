import { afterAll, beforeAll } from '@jest/globals';
import { natsBackplane } from '../../src/sse/backplanes/nats/index.js';
import { describeWith } from '../support/describe-with.js';
import { NatsServer } from '../support/nats-server.js';
import { describeProxied } from './proxied-backplane.js';

describeWith('nats-server', 'with a NATS server', (path) => {
  let server: NatsServer;

  beforeAll(async () => {
    server = await NatsServer.start(path);
  });

  afterAll(() => server.dispose());

  describeProxied(
    'nats',
    () => server,
    (port) => natsBackplane({ connection: { servers: `127.0.0.1:${port}` } }),
  );
});
