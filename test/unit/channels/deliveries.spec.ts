import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Deliveries, type Delivery } from '../../../src/sse/channels/deliveries.js';
import { RunQueue } from '../../../src/sse/channels/run-queue.js';
import { PREFIX } from '../../../src/sse/diagnostics/diagnostics.js';
import type { SseDiagnostics } from '../../../src/sse/diagnostics/messages.js';
import { timers } from '../../support/fake-timers.js';

type Told = SseDiagnostics['channel:delivered'];

const start = 1_000_000;
const of = { hub: 'one', channel: 'news', definition: undefined };
let told: Told[];
let deliveries: Deliveries;
const hear = (message: unknown): unknown => told.push(message as Told);

beforeEach(() => {
  told = [];
  jest.useFakeTimers({ ...timers, now: start });
  subscribe(`${PREFIX}channel:delivered`, hear);
  deliveries = new Deliveries(of, new RunQueue());
});

afterEach(() => {
  unsubscribe(`${PREFIX}channel:delivered`, hear);
  jest.useRealTimers();
});

/** Hands on events, each published so many milliseconds before now, and ends the turn. */
async function turn(upTo: number, ages: readonly number[], traces: readonly string[] = []): Promise<void> {
  for (const age of ages) {
    const at = Date.now() - age;
    const one: Delivery = { count: 1, bytes: 10, oldestAt: at, newestAt: at, upTo, traces };
    deliveries.add(one, 'live');
  }
  await nextTurn();
}

describe('the deliveries of a channel', () => {
  it('are told at the end of the turn', async () => {
    await turn(1, [3, 7]);
    expect(told).toEqual([
      {
        ...of,
        ...{
          deliveries: 2,
          bytes: 20,
          replayed: 0,
          duration: 0,
          lag: { min: 3, max: 7 },
          upTo: 1,
          traces: [],
        },
      },
    ]);
  });

  it('are told together where a turn follows within 10 ms, each with the lag at the end of its own', async () => {
    await turn(1, [0]);
    jest.advanceTimersByTime(4);
    await turn(2, [5]);
    jest.advanceTimersByTime(4);
    await turn(4, [2, 9]);
    expect(told).toHaveLength(1);
    jest.advanceTimersByTime(2);
    expect(told.slice(1)).toMatchObject([
      { deliveries: 3, bytes: 30, replayed: 0, lag: { min: 2, max: 9 }, upTo: 4, traces: [] },
    ]);
  });

  it('are told at the end of the turn again after 10 ms', async () => {
    await turn(1, [0]);
    jest.advanceTimersByTime(10);
    await turn(2, [0]);
    expect(told).toMatchObject([{ upTo: 1 }, { upTo: 2 }]);
  });

  it('have no lag in common with replays', async () => {
    await turn(1, [0]);
    deliveries.add({ count: 5, bytes: 50, oldestAt: 0, newestAt: 0, upTo: 1, traces: ['old'] }, 'past');
    await nextTurn();
    await turn(2, [6]);
    jest.advanceTimersByTime(10);
    expect(told.slice(1)).toMatchObject([
      { deliveries: 6, replayed: 5, lag: { min: 6, max: 6 }, upTo: 2, traces: [] },
    ]);
  });

  it('with traces are told of by themselves, after those before', async () => {
    await turn(1, [0]);
    await turn(2, [0]);
    await turn(3, [0, 0], ['a trace']);
    expect(told.slice(1)).toMatchObject([
      { deliveries: 1, upTo: 2, traces: [] },
      { deliveries: 2, upTo: 3, traces: ['a trace'] },
    ]);
    jest.advanceTimersByTime(10);
    expect(told).toHaveLength(3);
  });
});
