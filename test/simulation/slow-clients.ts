import type { Server } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { defineChannel, SseHub, SseModule } from '../../src/sse/index.js';
import { makeAdapter } from '../support/adapters.js';
import { controllerOf } from '../support/sse-app.js';
import { MemorySocket } from './network.js';
import { VirtualTime } from './virtual-time.js';

/** Events that the channels keep. */
export const HISTORIES = [50, 100, 500];
/** How fast clients read, in percent of what is published. */
export const READ_RATES = [25, 40, 55, 70, 85, 100, 115, 130, 150, 200];

/** For a history: the percentage of clients that were told of a gap, by their read rate. */
export type GapShares = ReadonlyMap<number, readonly number[]>;

/** Milliseconds that a client streams. */
export const LENGTH = 240_000;
/** Events a second, and bytes of each. */
export const EVENTS_A_SECOND = 5;
export const EVENT_BYTES = 2_000;
/** Milliseconds between two looks of a client at its socket. */
const TICK = 300;
/** Mean milliseconds for which a client reads at full speed, and then not at all, as one on a train does. */
const SPELL = 3_000;
/** Bytes that each end of a connection holds, as the buffers of a kernel do. */
export const SOCKET_BYTES = 32 * 1024;

/**
 * A client that reads for a while and then does not, at random: on average at some rate. It does not reconnect.
 */
class SlowClient {
  gaps = 0;
  #isReading = true;
  #changesAt: number;
  #tail = '';

  constructor(
    private readonly socket: MemorySocket,
    path: string,
    /** Bytes in a millisecond while it reads. */
    private readonly speed: number,
  ) {
    this.#changesAt = exponential(SPELL);
    socket.on('error', () => undefined);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n`);
  }

  /** Reads what it can in the time since the last call. */
  read(now: number): void {
    for (; this.#changesAt <= now; this.#changesAt += exponential(SPELL)) this.#isReading = !this.#isReading;
    if (!this.#isReading) return;
    let left = Math.round(this.speed * TICK);
    while (left > 0 && this.socket.readableLength > 0) {
      const chunk = this.socket.read(Math.min(left, this.socket.readableLength)) as Buffer;
      left -= chunk.length;
      this.#look(chunk.toString('latin1'));
    }
  }

  leave(): void {
    this.socket.destroy();
  }

  #look(text: string): void {
    const blocks = (this.#tail + text).split('\n\n');
    this.#tail = blocks.pop()!;
    this.gaps += blocks.filter((block) => block.includes('event: gap')).length;
  }
}

/** Publishes to channels of several histories, each of which so many clients of each rate read. */
export async function simulateSlowClients(count: number, seed: number): Promise<GapShares> {
  const time = new VirtualTime(seed);
  const app = await startApp();
  try {
    const groups = new Map(HISTORIES.map((history) => [history, groupsOf(app, history, count)]));
    const clients = [...groups.values()].flat(2);
    await time.until(TICK);
    await publishFor(time, app.get(SseHub), () => {
      for (const client of clients) client.read(time.now);
    });
    for (const client of clients) client.leave();
    return new Map([...groups].map(([history, some]) => [history, some.map(shareWithGaps)]));
  } finally {
    await app.close();
    time.end();
  }
}

const nameOf = (history: number): string => `keeps-${history}`;

async function startApp(): Promise<INestApplication> {
  const definitions = HISTORIES.map((count) =>
    defineChannel(nameOf(count), { history: { count, bytes: Infinity } }),
  );
  const module = await Test.createTestingModule({
    imports: [SseModule.forRoot(), SseModule.forFeature(definitions)],
    controllers: [controllerOf({ ':name': (hub, { params }) => hub.stream(params.name!) })],
  }).compile();
  const app = module.createNestApplication(await makeAdapter('express'), { logger: false });
  return app.init();
}

/** The clients of a channel, by their read rate. */
function groupsOf(app: INestApplication, history: number, count: number): SlowClient[][] {
  return READ_RATES.map((rate) => {
    // It reads for half of the time, so twice as fast.
    const speed = ((2 * rate) / 100) * ((EVENTS_A_SECOND * EVENT_BYTES) / 1_000);
    return Array.from({ length: count }, () => {
      const [client, server] = MemorySocket.pair(SOCKET_BYTES);
      (app.getHttpServer() as Server).emit('connection', server);
      return new SlowClient(client, `/${nameOf(history)}`, speed);
    });
  });
}

/** Publishes at random moments, at a steady rate on average. @param tick is called from time to time */
async function publishFor(time: VirtualTime, hub: SseHub, tick: () => void): Promise<void> {
  const data = 'x'.repeat(EVENT_BYTES - 45); // the rest is its id, and the names of its fields
  const end = time.now + LENGTH;
  for (let due = time.now; time.now < end; tick()) {
    for (; due < time.now; due += exponential(1_000 / EVENTS_A_SECOND))
      await Promise.all(HISTORIES.map((history) => hub.publish(nameOf(history), { data })));
    await time.until(time.now + TICK);
  }
}

function shareWithGaps(clients: readonly SlowClient[]): number {
  return (clients.filter(({ gaps }) => gaps > 0).length / clients.length) * 100;
}

/** A random number with this mean. */
const exponential = (mean: number): number => -Math.log(1 - Math.random()) * mean;
