import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { PREFIX } from '../../../src/sse/diagnostics/diagnostics.js';
import type { SseDiagnostics } from '../../../src/sse/diagnostics/messages.js';
import { Publications } from '../../../src/sse/publishing/publications.js';
import { SseError } from '../../../src/sse/index.js';
import { timers } from '../../support/fake-timers.js';

type Told = SseDiagnostics['channel:published'];

let told: Told[];
let publications: Publications;
const hear = (message: unknown): unknown => told.push(message as Told);
const asItIs = <Stored>(stored: Stored): Stored => stored;

beforeEach(() => {
  told = [];
  jest.useFakeTimers(timers);
  jest.advanceTimersByTime(1_000);
  subscribe(`${PREFIX}channel:published`, hear);
  publications = new Publications((channel) => ({ hub: 'one', channel, definition: undefined }));
});

afterEach(() => {
  unsubscribe(`${PREFIX}channel:published`, hear);
  jest.useRealTimers();
});

it('give each call its own result, and count those that end in a turn together', async () => {
  const [one, two] = [1, 2].map((n) => ({ id: `id ${n}`, bytes: n }));
  const results = [
    publications.counted('news', performance.now(), Promise.resolve(one!), ({ id }) => id),
    publications.counted('news', performance.now(), Promise.resolve(two!), (stored) => stored),
  ];
  expect(await Promise.all(results)).toEqual(['id 1', two]);
  await nextTurn();
  expect(told).toEqual([
    expect.objectContaining({ channel: 'news', published: 2, bytes: 3, failures: new Map() }),
  ]);
});

it('hand errors on, and count them by their code', async () => {
  for (const error of [new SseError('BACKPLANE_AWAY', 'away'), new Error('another')])
    await expect(publications.counted('news', performance.now(), Promise.reject(error), asItIs)).rejects.toBe(
      error,
    );
  await nextTurn();
  const failures = new Map([
    ['BACKPLANE_AWAY', 1],
    ['other', 1],
  ]);
  expect(told).toEqual([expect.objectContaining({ published: 0, bytes: 0, failures })]);
});

it('time each call from its start to its end', async () => {
  const calls = [100, 1, 30].map((ago) =>
    publications.counted('news', performance.now() - ago, Promise.resolve({ bytes: 1 }), asItIs),
  );
  await Promise.all(calls);
  await nextTurn();
  expect(told.map(({ duration }) => duration)).toEqual([{ min: 1, max: 100 }]);
});

it('keep channels apart', async () => {
  await publications.counted('a', performance.now(), Promise.resolve({ bytes: 1 }), asItIs);
  await publications.counted('b', performance.now(), Promise.resolve({ bytes: 2 }), asItIs);
  await nextTurn();
  expect(told.map(({ channel, bytes }) => [channel, bytes])).toEqual([
    ['a', 1],
    ['b', 2],
  ]);
});

it('are told together where they end within 10 ms of the last time, over a turn or several', async () => {
  const publish = (bytes: number): Promise<object> =>
    publications.counted('news', performance.now(), Promise.resolve({ bytes }), asItIs);
  await publish(1);
  await nextTurn();
  for (const bytes of [2, 3]) {
    jest.advanceTimersByTime(4);
    await publish(bytes);
    await nextTurn();
  }
  jest.advanceTimersByTime(1);
  expect(told.map(({ bytes }) => bytes)).toEqual([1]);
  jest.advanceTimersByTime(1);
  expect(told.slice(1)).toMatchObject([{ published: 2, bytes: 5 }]);
  jest.advanceTimersByTime(10);
  await publish(4);
  await nextTurn();
  expect(told.slice(2)).toMatchObject([{ published: 1, bytes: 4 }]);
});
