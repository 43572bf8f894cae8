import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { RunQueue } from '../../../src/sse/channels/run-queue.js';
import { OpeningQueue } from '../../../src/sse/http/opening-queue.js';
import type { SseConnection } from '../../../src/sse/http/sse-connection.js';
import type { UnusedSockets } from '../../../src/sse/http/unused-sockets.js';

let now: number;
let began: number[];
let held: number;
let tasks: RunQueue;
let queue: OpeningQueue;

beforeEach(() => {
  now = 0;
  began = [];
  held = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  const sockets = { hold: () => held++, release: () => false };
  tasks = new RunQueue();
  queue = new OpeningQueue(tasks, sockets as unknown as UnusedSockets);
});

afterEach(() => {
  jest.restoreAllMocks();
});

/** Adds responses that take so many milliseconds to begin, most of it in a microtask. */
function add(count: number, milliseconds: number): SseConnection[] {
  return Array.from({ length: count }, (_, i) => {
    const connection = {} as SseConnection;
    queue.add(connection, () => {
      began.push(i);
      void Promise.resolve().then(() => (now += milliseconds));
    });
    return connection;
  });
}

it('lets all begin at once that come in the slice of a turn', () => {
  add(20, 1);
  expect(began).toHaveLength(20);
});

it('counts what a beginning does in microtasks', async () => {
  add(1, 20);
  await Promise.resolve();
  add(3, 4);
  expect(began).toEqual([0]);
  await nextTurn();
  await nextTurn();
  expect(began).toEqual([0, 0, 1, 2]);
  add(1, 1);
  expect(began).toEqual([0, 0, 1, 2, 0]);
});

it('takes as many in each further turn as fit in a slice', async () => {
  add(1, 20);
  await Promise.resolve();
  add(9, 4);
  const counts: number[] = [];
  while (began.length < 10) {
    await nextTurn();
    counts.push(began.length);
  }
  expect(counts.filter((count, i) => count !== counts[i - 1])).toEqual([4, 7, 10]);
  expect(held).toBe(0);
});

it('takes no fewer while deliveries take all the time of their own', async () => {
  add(1, 20);
  await Promise.resolve();
  add(9, 4);
  let turns = 0;
  const deliveries = {
    run: () => {
      turns++;
      now += 12;
      if (began.length < 10) tasks.addNext(deliveries);
    },
  };
  tasks.addNext(deliveries);
  while (began.length < 10) await nextTurn();
  expect(turns).toBeLessThanOrEqual(4);
});

it('forgets a response that is over', async () => {
  add(1, 20);
  await Promise.resolve();
  const [, second] = add(3, 20);
  queue.delete(second!);
  while (began.length < 3) await nextTurn();
  await nextTurn();
  expect(began).toEqual([0, 0, 2]);
});
