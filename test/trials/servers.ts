import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { freePort } from '../support/free-port.js';
import { NatsServer } from '../support/nats-server.js';
import { RedisServer } from '../support/redis-server.js';

/** A server that the instances share, whichever it is. */
export interface SharedServer {
  /** What the instances are told of it. */
  readonly backplane: { readonly backplane: 'redis' | 'nats'; readonly url: string };
  stop(): Promise<void>;
  /** Starts it again, with all that it had. */
  start(): Promise<void>;
  freeze(): Promise<void>;
  thaw(): void;
  /** Keeps what it has now, to come back to. */
  save(): Promise<void>;
  /** Ends it as a power loss does, and starts it with what was saved. */
  rewind(): Promise<void>;
  /** The same, with nothing. */
  wipe(): Promise<void>;
  /** How many connections it has, and how many channels' notices are asked for over them. */
  load(): Promise<{ readonly connections: number; readonly subscriptions: number }>;
}

/** Starts a server for the present test; `durable` if it has what it had when it is started again. */
export type StartServer = (options: { durable: boolean }) => Promise<SharedServer>;

async function startRedis(path: string, durable: boolean): Promise<SharedServer> {
  const server = await RedisServer.start(path, { persistent: durable });
  whenTestEnds(() => server.dispose());
  return {
    backplane: { backplane: 'redis', url: server.url },
    stop: () => server.stop(),
    start: () => server.start(),
    freeze: async () => server.freeze(),
    thaw: () => server.thaw(),
    save: async () => {
      await server.command('SAVE');
    },
    rewind: async () => {
      await server.stop('SIGKILL');
      await server.start();
    },
    wipe: async () => {
      await server.stop('SIGKILL');
      await rm(join(server.folder, 'dump.rdb'), { force: true });
      await server.start();
    },
    load: async () => ({
      connections:
        String(await server.command('CLIENT', 'LIST'))
          .trim()
          .split('\n').length - 1, // without the one that asks
      subscriptions: ((await server.command('PUBSUB', 'CHANNELS')) as string[]).length,
    }),
  };
}

async function startNats(path: string): Promise<SharedServer> {
  const monitoring = await freePort();
  const server = await NatsServer.start(path, { args: ['--http_port', String(monitoring)] });
  whenTestEnds(() => server.dispose());
  return {
    backplane: { backplane: 'nats', url: `nats://${server.address}` },
    stop: () => server.stop(),
    start: () => server.start(),
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    save: async () => {
      await server.stop();
      await server.save();
      await server.start();
    },
    rewind: async () => {
      await server.stop('SIGKILL');
      await server.restore();
      await server.start();
    },
    wipe: async () => {
      await server.stop('SIGKILL');
      await server.empty();
      await server.start();
    },
    load: async () => {
      const answer = await fetch(`http://127.0.0.1:${monitoring}/varz`);
      return (await answer.json()) as { connections: number; subscriptions: number };
    },
  };
}

/** Defines the same tests on Redis and on NATS. */
export function describeOnEach(
  title: string,
  define: (start: StartServer, name: 'Redis' | 'NATS') => void,
): void {
  describeWith('redis-server', `${title}, on Redis`, (path) => {
    define(({ durable }) => startRedis(path, durable), 'Redis');
  });
  describeWith('nats-server', `${title}, on NATS`, (path) => {
    define(() => startNats(path), 'NATS');
  });
}
