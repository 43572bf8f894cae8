import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { filter, map } from 'rxjs';
import type { SseHub } from '../../../src/sse/index.js';
import { seededRandom } from '../../bench/random.js';
import { blocksOf } from '../../support/blocks.js';
import { controllerOf, startSseApp, untilConnections } from '../../support/sse-app.js';
import { GzipClient } from './gzip-client.js';

/*
 * Clients come, resume, stall, go on and leave at random while events are published. Each that lasts decodes to an end
 * whose trailer has the checksum of what the server meant to send it. So a block that refers to another text than the
 * client got right before it is noticed, in whatever way it came about.
 */

const STEPS = 300;
const MOST_CLIENTS = 25;
const CHANNELS = ['a', 'b'] as const;

const keyed = { slow: { latest: (): string => 'all' } };
const controllers = [
  controllerOf({
    direct: (hub) => hub.stream('a'),
    other: (hub) => hub.stream('b'),
    merged: (hub) => hub.stream(['a', 'b']),
    piped: (hub) => hub.stream('a').pipe(map((event) => ({ ...event }))),
    half: (hub) => hub.stream('a').pipe(filter((event) => event.data !== '')),
  }),
  controllerOf({ coalesced: (hub) => hub.stream('a') }, { coalesce: 5 }),
  controllerOf({ latest: (hub) => hub.stream('a') }, keyed),
];
const paths = ['direct', 'direct', 'direct', 'other', 'merged', 'piped', 'half', 'coalesced', 'latest'];

class Schedule {
  readonly published = new Map<string, string[]>(CHANNELS.map((channel) => [channel, []]));
  readonly ids: string[] = [];
  readonly clients: (GzipClient & { path?: string })[] = [];
  readonly #random: () => number;

  constructor(
    seed: number,
    private readonly hub: SseHub,
    private readonly url: string,
  ) {
    this.#random = seededRandom(seed);
  }

  async step(): Promise<void> {
    const kind = this.#upTo(20);
    if (kind < 2 || this.clients.length === 0) await this.#open();
    else if (kind === 2) this.#pick(this.clients).stall();
    else if (kind === 3) this.#pick(this.clients).goOn();
    else if (kind === 4) this.#leave();
    else if (kind === 5) await this.#beat();
    else await this.#publish(kind === 6 ? 1 + this.#upTo(12) : 1);
  }

  /** Everybody reads to the end. */
  async finish(): Promise<void> {
    for (const client of this.clients) client.goOn();
    for (const channel of CHANNELS) await this.hub.publish(channel, { data: `${channel} last` });
    await Promise.all(
      this.clients.map((client) => client.until(client.path === 'other' ? 'b last' : 'a last')),
    );
    await this.hub.disconnect({});
    await Promise.all(this.clients.map(({ ended }) => ended));
  }

  #upTo(most: number): number {
    return Math.floor(this.#random() * most);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#upTo(from.length)] as T;
  }

  async #open(): Promise<void> {
    if (this.clients.length >= MOST_CLIENTS) return;
    const path = this.#pick(paths);
    const id = this.ids.length > 0 && this.#upTo(2) === 0 ? this.#pick(this.ids.slice(-40)) : undefined;
    const own = this.#upTo(3) === 0 && { accept: 'text/event-stream;ids=own' };
    const client = await GzipClient.open(`${this.url}/${path}`, {
      ...(id && { 'last-event-id': id }),
      ...own,
    });
    this.clients.push(Object.assign(client, { path }));
  }

  #leave(): void {
    const [client] = this.clients.splice(this.#upTo(this.clients.length), 1);
    client?.close();
  }

  /** Waits for a heartbeat of a client, unless that stalls. */
  async #beat(): Promise<void> {
    const client = this.#pick(this.clients);
    if (!client.response.isPaused()) await client.until(':\n', 'now');
  }

  async #publish(count: number): Promise<void> {
    const sent = Array.from({ length: count }, () => {
      const channel = this.#pick(CHANNELS);
      const all = this.published.get(channel) as string[];
      // Some fill the buffers of those who stall, as they do not compress.
      const filler =
        this.#upTo(12) === 0 ? randomBytes(1 + this.#upTo(150_000)).toString('base64') : 'é some more';
      const data = `${channel} ${all.length} ${filler}`;
      all.push(data);
      return this.hub.publish(channel, { data });
    });
    this.ids.push(...(await Promise.all(sent)));
  }

  /** What is wrong with the events that a client has. */
  faultsOf({ text, path }: GzipClient & { path?: string }): string[] {
    const next = new Map<string, number>();
    const faults: string[] = [];
    for (const { event } of blocksOf({ raw: text })) {
      const data = event?.text ?? '';
      if (event?.type === 'gap') next.delete((JSON.parse(data) as { channel: string }).channel);
      const [, channel = '', number] = /^([ab]) (\d+) /.exec(data) ?? [];
      if (number === undefined) continue;
      const n = Number(number);
      const expected = next.get(channel) ?? n;
      if (path === 'latest' ? n < expected : n !== expected) faults.push(`${channel} ${n}, not ${expected}`);
      if (data !== this.published.get(channel)?.[n]) faults.push(`${channel} ${n} is another event`);
      next.set(channel, n + 1);
    }
    return faults;
  }
}

describe('compressed streams, in schedules of many clients', () => {
  it.each([1, 2, 3])('have what was sent (seed %i)', async (seed) => {
    const { hub, url } = await startSseApp({
      controllers,
      sse: { compress: true, heartbeat: 20, history: { count: 30 }, shutdown: { spread: 0, grace: 5_000 } },
    });
    const schedule = new Schedule(seed, hub, url);
    for (let step = 0; step < STEPS; step++) await schedule.step();
    await untilConnections(hub, schedule.clients.length);
    await schedule.finish();
    for (const client of schedule.clients) {
      expect(client.response.headers['content-encoding']).toBe('gzip');
      expect([client.path, schedule.faultsOf(client)]).toEqual([client.path, []]);
    }
  });
});
