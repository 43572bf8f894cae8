import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { lmdbBackplane } from '../../src/sse/backplanes/lmdb/index.js';
import { natsBackplane } from '../../src/sse/backplanes/nats/index.js';
import { redisBackplane } from '../../src/sse/backplanes/redis/index.js';
import type { BackplaneFactory } from '../../src/sse/index.js';
import { NatsServer } from '../support/nats-server.js';
import { findProgram } from '../support/programs.js';
import { RedisServer } from '../support/redis-server.js';

/** Where instances keep their logs. */
export interface Store {
  /** How many instances can have it at the same time. */
  readonly instances: 1 | 2;
  /** Whether logs are there again when all instances have restarted. */
  readonly outlivesInstances: boolean;
  /** Whether it can be copied and put back while instances run. */
  readonly isServer: boolean;
  /** One backplane for each start of an instance. */
  backplane(): BackplaneFactory | undefined;
  save(): Promise<void>;
  /** Ends it, as a power loss does, and starts it with what was saved last, or with nothing. */
  rewind(): Promise<void>;
  dispose(): Promise<void>;
}

const nothing = async (): Promise<void> => undefined;

const memoryStore = async (): Promise<Store> => ({
  instances: 1,
  outlivesInstances: false,
  isServer: false,
  backplane: () => undefined,
  save: nothing,
  rewind: nothing,
  dispose: nothing,
});

async function lmdbStore(): Promise<Store> {
  const folder = await mkdtemp(join(tmpdir(), 'sse-'));
  const [path, copy] = [join(folder, 'data'), join(folder, 'copy')];
  let isSaved = false;
  return {
    instances: 1,
    outlivesInstances: true,
    isServer: false,
    backplane: () => lmdbBackplane({ path }),
    save: async () => {
      await rm(copy, { recursive: true, force: true });
      await cp(path, copy, { recursive: true });
      isSaved = true;
    },
    rewind: async () => {
      await rm(path, { recursive: true });
      if (isSaved) await cp(copy, path, { recursive: true });
    },
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}

async function redisStore(): Promise<Store> {
  const server = await RedisServer.start(findProgram('redis-server')!);
  const connection = { url: server.url, socket: { reconnectStrategy: 20 } };
  const prefix = randomUUID();
  return {
    instances: 2,
    outlivesInstances: true,
    isServer: true,
    backplane: () => redisBackplane({ prefix, connection }),
    save: async () => {
      await server.command('SAVE');
    },
    rewind: async () => {
      await server.stop('SIGKILL');
      await server.start();
    },
    dispose: () => server.dispose(),
  };
}

async function natsStore(): Promise<Store> {
  const server = await NatsServer.start(findProgram('nats-server')!);
  // A server that is killed in the midst of a handshake is waited for until that has timed out: for less time than a
  // client that is behind is waited for (run-schedule.ts), and for more than a busy machine takes to answer.
  const connection = {
    servers: server.address,
    reconnectTimeWait: 20,
    maxReconnectAttempts: -1,
    timeout: 1_500,
  };
  const prefix = randomUUID();
  let isSaved = false;
  return {
    instances: 2,
    outlivesInstances: true,
    isServer: true,
    backplane: () => natsBackplane({ prefix, connection }),
    save: async () => {
      await server.stop();
      await server.save();
      await server.start();
      isSaved = true;
    },
    rewind: async () => {
      await server.stop('SIGKILL');
      await (isSaved ? server.restore() : server.empty());
      await server.start();
    },
    dispose: () => server.dispose(),
  };
}

export const stores = { memory: memoryStore, lmdb: lmdbStore, redis: redisStore, nats: natsStore };
export type StoreName = keyof typeof stores;
