import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from '@jest/globals';
import { natsBackplane } from '../../src/sse/backplanes/nats/index.js';
import { redisBackplane } from '../../src/sse/backplanes/redis/index.js';
import type { BackplaneFactory } from '../../src/sse/index.js';
import { describeWith } from './describe-with.js';
import { NatsServer } from './nats-server.js';
import { RedisServer } from './redis-server.js';

/**
 * Makes a backplane for the instances of one test: they share its logs, and those of another test have
 * others on the same server.
 */
export type MakeShared = () => BackplaneFactory;

/** A `describe` for instances that share a Redis. */
export function describeOnRedis(title: string, define: (shared: MakeShared) => void): void {
  describeWith('redis-server', `${title}, on Redis`, (path) => {
    let server: RedisServer;
    beforeAll(async () => {
      server = await RedisServer.start(path);
    });
    afterAll(() => server.dispose());
    define(() => redisBackplane({ prefix: randomUUID(), connection: { url: server.url } }));
  });
}

/** A `describe` for instances that share a NATS. */
export function describeOnNats(title: string, define: (shared: MakeShared) => void): void {
  describeWith('nats-server', `${title}, on NATS`, (path) => {
    let server: NatsServer;
    beforeAll(async () => {
      server = await NatsServer.start(path);
    });
    afterAll(() => server.dispose());
    define(() => natsBackplane({ prefix: randomUUID(), connection: { servers: server.address } }));
  });
}

/** Both, one after the other. */
export function describeOnEach(title: string, define: (shared: MakeShared) => void): void {
  describeOnRedis(title, define);
  describeOnNats(title, define);
}
