import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import * as diagnostics from '../../../src/sse/diagnostics/diagnostics.js';
import { FigureCounter } from '../../../src/sse/inspector/figures.js';
import { whenTestEnds } from '../../support/clean-up.js';

const SECOND = 1_000;

const NONE = {
  ...{ published: 0, failed: 0, deliveries: 0, replayed: 0, bytes: 0, latency: null },
  ...{ gaps: 0, denied: 0, opened: 0, ended: 0, refused: 0, backedUp: 0 },
};

const ofHub = { hub: 'here' };
const ofChannel = { ...ofHub, channel: 'news', definition: undefined };
const connection = {} as never;

function make(): FigureCounter {
  const counter = new FigureCounter('here');
  whenTestEnds(() => counter.close());
  return counter;
}

const publish = (error?: unknown): void =>
  diagnostics.publishing.asyncEnd.publish({ ...ofChannel, startedAt: 0, type: undefined, error });

const delivered = (lag: { min: number; max: number } | undefined, replayed = 0): void =>
  diagnostics.channelDelivered.publish({
    ...{ ...ofChannel, deliveries: 2, bytes: 30, replayed, duration: 1, lag, upTo: 1, traces: [] },
  });

/** The figures of what a function does in one second. */
function figuresOf(act: () => void): FigureCounter['last'] {
  const counter = make();
  const end = counter.look(() => undefined);
  act();
  jest.advanceTimersByTime(SECOND);
  const { last } = counter;
  end();
  return last;
}

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('the figures of a second', () => {
  it('count what happens', () => {
    const told = (): void => {
      publish();
      publish();
      publish(new Error('refused'));
      delivered(undefined, 2);
      const gap = { reason: 'evicted', requested: '', oldest: null, latest: '' };
      diagnostics.streamGap.publish({ ...ofChannel, connection, ...gap });
      diagnostics.streamDenied.publish({ ...ofChannel, connection, reason: 'forbidden' });
      diagnostics.connectionOpened.publish({ ...ofHub, connection, duration: 0, isResumed: false });
      diagnostics.connectionEnded.publish({ ...ofHub, connection, duration: 0, reason: 'client' });
      diagnostics.connectionRefused.publish({ ...ofHub, limit: 'connections', path: '/' });
      diagnostics.connectionBackedUp.publish({ ...ofHub, connection });
      diagnostics.connectionBackedUp.publish({ hub: 'elsewhere', connection });
    };
    expect(figuresOf(told)).toEqual({
      ...{ published: 2, failed: 1, deliveries: 2, replayed: 2, bytes: 30, latency: null },
      ...{ gaps: 1, denied: 1, opened: 1, ended: 1, refused: 1, backedUp: 1 },
    });
  });

  it('have the least and the most time of all deliveries, and none below 0', () => {
    const figures = figuresOf(() => {
      delivered({ min: 5, max: 7 });
      delivered({ min: 3, max: 9 });
      delivered({ min: 4, max: 8 });
    });
    expect(figures).toMatchObject({ deliveries: 6, bytes: 90, latency: [3, 9] });
    expect(figuresOf(() => delivered({ min: -9, max: -5 })).latency).toEqual([0, 0]);
    // The clock was corrected in between.
    const corrected = figuresOf(() => {
      delivered({ min: -9, max: -5 });
      delivered({ min: 2, max: 4 });
    });
    expect(corrected.latency).toEqual([0, 4]);
  });

  it('are those of the last second, not of all', () => {
    const counter = make();
    const seen: number[] = [];
    counter.look(() => seen.push(counter.last.published));
    publish();
    expect(counter.last).toEqual(NONE);
    jest.advanceTimersByTime(2 * SECOND);
    expect(seen).toEqual([1, 0]);
  });
});

describe('counting', () => {
  it('goes on until the last who looks has gone, and forgets', () => {
    const counter = make();
    expect(counter.isRunning).toBe(false);
    const ends = [counter.look(() => undefined), counter.look(() => undefined)];
    publish();
    jest.advanceTimersByTime(SECOND);
    ends[0]!();
    expect(counter.isRunning).toBe(true);
    ends[1]!();
    expect([counter.isRunning, counter.last]).toEqual([false, NONE]);
    expect(diagnostics.connectionOpened.hasSubscribers).toBe(false);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('goes on for five seconds after another instance has asked', () => {
    const counter = make();
    expect(counter.asked()).toEqual(NONE);
    publish();
    jest.advanceTimersByTime(SECOND);
    expect(counter.asked()).toMatchObject({ published: 1 });
    jest.advanceTimersByTime(5 * SECOND);
    expect(counter.isRunning).toBe(true);
    jest.advanceTimersByTime(SECOND);
    expect(counter.isRunning).toBe(false);
  });

  it('goes on for who has asked when who looked has gone', () => {
    const counter = make();
    const end = counter.look(() => undefined);
    counter.asked();
    end();
    expect(counter.isRunning).toBe(true);
  });

  it('ends with the application, also where somebody looks', () => {
    const counter = make();
    let ticks = 0;
    counter.look(() => ticks++);
    counter.close();
    jest.advanceTimersByTime(2 * SECOND);
    expect([counter.isRunning, ticks]).toEqual([false, 0]);
  });
});
