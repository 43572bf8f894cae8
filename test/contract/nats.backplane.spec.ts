import { afterAll, beforeAll } from '@jest/globals';
import { natsBackplane } from '../../src/sse/backplanes/nats/index.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { describeWith } from '../support/describe-with.js';
import { NatsServer } from '../support/nats-server.js';
import { describeBackplane } from './backplane.contract.js';

describeWith('nats-server', 'with a NATS server', (path) => {
  let server: NatsServer;

  beforeAll(async () => {
    server = await NatsServer.start(path);
  });

  afterAll(() => server.dispose());

  describeBackplane('nats', () =>
    Promise.resolve(natsBackplane({ connection: { servers: server.address } })(moduleSettings().limits)),
  );
});
