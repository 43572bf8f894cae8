import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { Heartbeat, type Beating } from '../../../src/sse/http/heartbeat.js';

/** Milliseconds: a timer of Node that is longer fires at once. */
const LONGEST = 2 ** 31 - 1;

let heartbeat: Heartbeat;

beforeEach(() => {
  jest.useFakeTimers();
  heartbeat = new Heartbeat();
});

afterEach(() => {
  jest.useRealTimers();
});

/** What a connection does: it remembers when it was written to, and sends a comment when that is long ago. */
class Client implements Beating {
  /** How long it had been silent, at each of its silences. */
  readonly silences: number[] = [];
  looks = 0;
  readonly #all = heartbeat;
  #wroteAt = 0;

  constructor(readonly heartbeat: number) {
    this.#all.add(this);
    this.write();
  }

  write(): void {
    this.#wroteAt = performance.now();
  }

  beat(now: number): number {
    this.looks++;
    const silence = now - this.#wroteAt;
    if (silence < this.heartbeat) return this.heartbeat - silence;
    this.silences.push(performance.now() - this.#wroteAt);
    this.write();
    return this.heartbeat;
  }

  leave(): void {
    this.#all.delete(this);
  }
}

describe('a heartbeat', () => {
  it('comes after a silence, and again after each further one', () => {
    const client = new Client(8_000);
    jest.advanceTimersByTime(100_000);
    expect(client.silences.length).toBeGreaterThanOrEqual(10);
  });

  it('comes not before the silence was as long as it says, and at most a quarter of that later', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 300, max: 10_000 }), { minLength: 1, maxLength: 4 }),
        fc.array(fc.tuple(fc.nat({ max: 2_000 }), fc.nat()), { maxLength: 40 }),
        (heartbeats, writes) => {
          const clients = heartbeats.map((ms) => new Client(ms));
          for (const [after, who] of writes) {
            jest.advanceTimersByTime(after);
            clients[who % clients.length]!.write();
          }
          jest.advanceTimersByTime(15_000);
          for (const client of clients) {
            client.leave();
            expect(Math.min(...client.silences)).toBeGreaterThanOrEqual(client.heartbeat);
            expect(Math.max(...client.silences)).toBeLessThanOrEqual(client.heartbeat * 1.25 + 4);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('does not come while the client is written to more often', () => {
    const client = new Client(8_000);
    for (let i = 0; i < 30; i++) {
      jest.advanceTimersByTime(6_900);
      client.write();
    }
    expect(client.silences).toEqual([]);
  });

  it('looks at a client no more often than it may have to', () => {
    const client = new Client(8_000);
    jest.advanceTimersByTime(80_000);
    expect(client.looks).toBeLessThanOrEqual(10);
    client.leave();
  });

  it('of a client with a short one is not kept back by those with a long one, whoever came first', () => {
    const clients = [60_000, 1_000, 30_000].map((ms) => new Client(ms));
    jest.advanceTimersByTime(10_500);
    expect(clients.map((client) => client.silences.length > 0)).toEqual([false, true, false]);
    expect(clients[1]!.silences.length).toBeGreaterThanOrEqual(8);
  });

  it('of 0 is none, and needs no timer', () => {
    const client = new Client(0);
    expect(jest.getTimerCount()).toBe(0);
    jest.advanceTimersByTime(100_000);
    expect(client.looks).toBe(0);
  });

  it('does not come to those who have left', () => {
    const [left, stays] = [new Client(1_000), new Client(1_000)];
    left.leave();
    jest.advanceTimersByTime(5_000);
    expect(left.looks).toBe(0);
    expect(stays.silences.length).toBeGreaterThan(0);
  });
});

describe('the timer of the heartbeats', () => {
  /** What the timers were set to that were set meanwhile. */
  function timersOf(task: () => void): number[] {
    const timers = jest.spyOn(globalThis, 'setTimeout');
    task();
    const times = timers.mock.calls.map(([, milliseconds]) => milliseconds ?? 0);
    timers.mockRestore();
    expect(times).not.toEqual([]);
    return times;
  }

  it('is not set to the past for those who have become due while others were looked at', () => {
    const clients = [1_000, 1_300, 1_700].map((ms) => new Client(ms));
    const now = performance.now.bind(performance);
    let late = 0;
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now() + late);
    // Writing to a client takes its time.
    for (const client of clients) jest.spyOn(client, 'write').mockImplementation(() => void (late += 1_000));
    const times = timersOf(() => jest.advanceTimersByTime(10_000));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(0);
    clock.mockRestore();
  });

  it('of the longest heartbeat there is does not fire at once, again and again', () => {
    jest.advanceTimersByTime(1_000);
    let client: Client | undefined;
    const times = timersOf(() => (client = new Client(LONGEST)));
    expect(Math.max(...times)).toBeLessThanOrEqual(LONGEST);
    jest.advanceTimersByTime(LONGEST * 1.25);
    expect(client?.silences).toHaveLength(1);
  });

  it('is not there while there are no connections', () => {
    expect(jest.getTimerCount()).toBe(0);
    const clients = [new Client(1_000), new Client(500)];
    clients[0]!.leave();
    expect(jest.getTimerCount()).toBe(1);
    clients[1]!.leave();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is there again when connections come again', () => {
    new Client(1_000).leave();
    const client = new Client(60_000);
    jest.advanceTimersByTime(80_000);
    expect(client.silences).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(1);
  });

  it('is one, however many connections there are and whatever their heartbeats', () => {
    const clients = Array.from({ length: 2_500 }, (_, i) => new Client(1_000 + ((i * 7) % 5_000)));
    for (let i = 0; i < 40; i++) {
      jest.advanceTimersByTime(250);
      expect(jest.getTimerCount()).toBe(1);
    }
    for (const client of clients) client.leave();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is stopped by a client that leaves at its heartbeat as the last one', () => {
    const client = new Client(1_000);
    client.beat = () => {
      client.leave();
      return 1_000;
    };
    jest.advanceTimersByTime(5_000);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('does not keep the process alive', () => {
    jest.useRealTimers();
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const client = new Client(1_000);
    const during = timers();
    client.leave();
    expect(during).toBe(before);
  });
});

describe('thousands of connections', () => {
  const many = (count: number): Client[] => Array.from({ length: count }, () => new Client(8_000));
  /** The first look has begun, and a step of it is done. */
  const firstStep = (): void => {
    jest.runOnlyPendingTimers();
  };

  it('are looked at in steps between which the event loop gets a turn, and each once', () => {
    const clients = many(2_500);
    const looked = (): number => clients.filter(({ looks }) => looks === 1).length;
    firstStep();
    const afterOne = looked();
    expect(afterOne).toBeLessThan(2_500);
    jest.advanceTimersByTime(10);
    expect(looked()).toBe(2_500);
  });

  it('have one timer also when one with a shorter heartbeat comes in the middle of a look', () => {
    many(2_500);
    firstStep();
    new Client(800);
    jest.advanceTimersByTime(50);
    expect(jest.getTimerCount()).toBe(1);
  });

  it('have none when all leave in the middle of a look, and one when another comes then', () => {
    const clients = many(2_500);
    firstStep();
    for (const client of clients) client.leave();
    expect(jest.getTimerCount()).toBe(0);
    new Client(8_000);
    jest.advanceTimersByTime(50);
    expect(jest.getTimerCount()).toBe(1);
  });
});
