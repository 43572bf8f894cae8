import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SseHub } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import type { SseApp } from '../../support/sse-app.js';

const BIG = 100_000;

/** An event that fills the buffers of a connection soon; it begins with its number. */
export const big = (n: number): { type: string; data: string } => ({
  type: 'big',
  data: `${n} `.padEnd(BIG, '.'),
});

/** The number of such an event. */
export const numberOf = ({ data }: { data: string }): number => Number.parseInt(data, 10);

/** The whole numbers of a range, both ends included. */
export const numbers = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Remembers the server's ends of all connections. */
export class ServerSockets {
  readonly open = new Set<Socket>();

  constructor({ server }: { server: Server }) {
    server.on('connection', (socket: Socket) => {
      this.open.add(socket);
      socket.once('close', () => this.open.delete(socket));
    });
    server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      response.setHeader('x-port', String(socket.remotePort));
    });
  }

  of({ headers }: TestStream): Socket {
    return [...this.open].find(({ remotePort }) => String(remotePort) === headers['x-port'])!;
  }
}

/** Publishes numbered big events to a channel. */
export class Publisher {
  /** The number of the newest event. */
  newest = 0;
  /** The id of the newest event. */
  id = '';
  /** The numbers of all events by their ids. */
  readonly numbers = new Map<string, number>();

  constructor(
    private readonly hub: SseHub,
    private readonly channel: string,
  ) {}

  async publish(count = 1): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.id = await this.hub.publish(this.channel, big(++this.newest));
      this.numbers.set(this.id, this.newest);
      await nextTurn(); // so that it is written
    }
  }

  /** Publishes until the client's socket takes no more. */
  async fill(socket: Socket): Promise<void> {
    while (!socket.writableNeedDrain) await this.publish();
  }
}

/** Waits until the connections are as many. */
export async function untilOpen({ hub }: Pick<SseApp, 'hub'>, connections: number): Promise<void> {
  while (hub.stats().connections !== connections) await nextTurn();
}
