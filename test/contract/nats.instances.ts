import { Logger } from '@nestjs/common';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { natsBackplane, type NatsBackplaneOptions } from '../../src/sse/backplanes/nats/index.js';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import type { Position } from '../../src/sse/protocol/position.js';
import type { ChannelOptions } from '../../src/sse/sse.options.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { whenTestEnds } from '../support/clean-up.js';
import { eventually } from '../support/eventually.js';
import { NatsServer, type NatsServerOptions } from '../support/nats-server.js';
import { settingsOf, stored } from './backplane.contract.js';
import { Listener } from './listener.js';

export const KEEP: ChannelOptions = { history: { count: 100_000 } };

/** One NATS server, and the instances that use it: each is a backplane with a connection of its own. */
export function instancesOn(path: string) {
  let server: NatsServer;

  // Of each connection that is lost there is a warning.
  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => Logger.overrideLogger(true));

  return {
    async serve(options?: NatsServerOptions): Promise<NatsServer> {
      const started = await NatsServer.start(path, options);
      whenTestEnds(() => started.dispose());
      return (server = started);
    },
    async instance(options: NatsBackplaneOptions = {}): Promise<SseBackplane> {
      const connection = { servers: server.address, reconnectTimeWait: 20 };
      const { backplane } = await natsBackplane({ connection, ...options })(moduleSettings().limits);
      whenTestEnds(() => backplane.close());
      return backplane;
    },
    /** A client that has nothing to do with this package. */
    async client(): Promise<NatsConnection> {
      const client = await connect({ servers: server.address });
      whenTestEnds(() => client.close());
      return client;
    },
  };
}

export const follow = (backplane: SseBackplane, options = KEEP): Promise<Listener> =>
  new Listener(backplane, 'a', settingsOf(options)).ready;

export const append = (backplane: SseBackplane, data: unknown = 'x', options = KEEP): Promise<Position> =>
  backplane.append('a', settingsOf(options), stored(data));

export const kept = async (backplane: SseBackplane): Promise<string[]> =>
  (await backplane.read('a', settingsOf(KEEP), { limit: Infinity })).entries.map(({ event }) => event.data!);

export const dataOf = (listener: Listener): string[] => listener.seen.map(({ event }) => event.data!);

export const texts = (count: number, prefix = ''): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

export const isAt = (listener: Listener, position: Position): Promise<void> =>
  eventually(() => listener.log.has(position) || listener.log.floor.offset > position.offset);

/** Whether an instance knows by now that the server is away. */
export const isRefused = (backplane: SseBackplane): Promise<boolean> =>
  append(backplane).then(
    () => false,
    (error: unknown) => (error as { code?: string }).code === 'PUBLISH_REJECTED',
  );

export const code = (code: string): unknown => expect.objectContaining({ name: 'SseError', code });
