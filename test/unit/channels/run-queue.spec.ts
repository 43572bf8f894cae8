import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { eventually } from '../../support/eventually.js';
import { RunQueue } from '../../../src/sse/channels/run-queue.js';

let turn: RunQueue;
let ran: string[];
let errors: unknown[];

beforeEach(() => {
  turn = new RunQueue();
  ran = [];
  errors = [];
  Logger.overrideLogger({
    error: (error: unknown) => errors.push(error),
    log: () => undefined,
    warn: () => undefined,
  });
});

afterEach(() => Logger.overrideLogger(['error', 'warn']));

const task = (name: string, then: () => void = () => undefined): { run(): void } => ({
  run: () => {
    ran.push(name);
    then();
  },
});

describe('a task', () => {
  it('is not done at once but at the end of the turn', async () => {
    turn.add(task('a'));
    await Promise.resolve();
    expect(ran).toEqual([]);
    await nextTurn();
    expect(ran).toEqual(['a']);
  });

  it('is done once, after those that were added before it', async () => {
    for (const name of ['a', 'b', 'c']) turn.add(task(name));
    await nextTurn();
    await nextTurn();
    expect(ran).toEqual(['a', 'b', 'c']);
  });

  it('that is added by another is done in the same turn, after all that were waiting', async () => {
    turn.add(task('a', () => turn.add(task('c', () => turn.add(task('d'))))));
    turn.add(task('b'));
    await nextTurn();
    expect(ran).toEqual(['a', 'b', 'c', 'd']);
  });

  it('for the next turn lets the event loop do something else in between', async () => {
    let left = 2;
    const again = task('again', () => left-- > 0 && turn.addNext(again));
    turn.add(again);
    setImmediate(() => ran.push('else'));
    await nextTurn();
    expect(ran).toEqual(['again', 'else']);
    setImmediate(() => ran.push('else'));
    await nextTurn();
    expect(ran.slice(2)).toEqual(['again', 'else']);
    await nextTurn();
  });

  it('for the next turn comes after those that were added in this one, and none is forgotten', async () => {
    turn.add(task('a', () => turn.addNext(task('c'))));
    turn.add(task('b'));
    await nextTurn();
    expect(ran).toEqual(['a', 'b']);
    turn.add(task('d'));
    await nextTurn();
    expect([...ran].sort()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('that fails is logged, and the others are done', async () => {
    const failure = new Error('a failed');
    turn.add(
      task('a', () => {
        throw failure;
      }),
    );
    turn.add(task('b'));
    await nextTurn();
    turn.add(task('c'));
    await nextTurn();
    expect(ran).toEqual(['a', 'b', 'c']);
    expect(errors).toEqual([failure]);
  });

  it('that fails does not end the others where the logger fails, too', async () => {
    const fails = (): never => {
      throw new Error('no disk');
    };
    Logger.overrideLogger({ error: fails, log: fails, warn: fails });
    turn.add(task('a', fails));
    turn.add(task('b'));
    await nextTurn();
    turn.add(task('c'));
    await nextTurn();
    expect(ran).toEqual(['a', 'b', 'c']);
  });
});

/** Waits until at least so many tasks are done. */
const untilRan = (count: number): Promise<void> => eventually(() => ran.length >= count);

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

describe('tasks of which there are very many', () => {
  let now: number;

  beforeEach(() => {
    now = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  /** A task that takes a millisecond. */
  const slow = (name: string, then: () => void = () => undefined): { run(): void } =>
    task(name, () => {
      now++;
      then();
    });

  it('are done in one turn if they take no time', async () => {
    for (const name of numbers(2_000)) turn.add(task(name));
    await nextTurn();
    expect(ran).toEqual(numbers(2_000));
  });

  it('let the event loop do something else in between if they take long', async () => {
    for (const name of numbers(1_000)) turn.add(slow(name));
    const seen: number[] = [];
    while (ran.length < 1_000) {
      await nextTurn();
      seen.push(ran.length);
    }
    const longest = Math.max(...seen.map((done, i) => done - (seen[i - 1] ?? 0)));
    expect(longest).toBeLessThan(20);
  });

  it('get less of a turn that is to be short, and of that one only', async () => {
    for (const name of numbers(50)) turn.add(slow(name));
    turn.hurry();
    await nextTurn();
    const inShort = ran.length;
    expect(inShort).toBeLessThan(10);
    await nextTurn();
    expect(ran.length - inShort).toBeGreaterThan(10);
    await untilRan(50);
  });

  it('are all done, once and in their order, however long they take', async () => {
    for (const name of numbers(1_000)) turn.add(slow(name));
    await untilRan(1_000);
    await nextTurn();
    await nextTurn();
    expect(ran).toEqual(numbers(1_000));
  });

  it('come before those that were added meanwhile', async () => {
    for (const name of numbers(200)) turn.add(slow(name, () => name === '0' && turn.add(task('led to'))));
    await nextTurn();
    expect(ran.length).toBeLessThan(200);
    turn.addNext(task('next'));
    turn.add(task('later'));
    await untilRan(203);
    expect(ran.slice(0, 200)).toEqual(numbers(200));
    expect(ran.slice(200)).toEqual(['led to', 'later', 'next']);
  });

  it('do not get lost where one of them fails', async () => {
    const fail = (): void => {
      throw new Error('failed');
    };
    for (const name of numbers(300)) turn.add(slow(name, Number(name) % 50 === 0 ? fail : undefined));
    await untilRan(300);
    expect(ran).toEqual(numbers(300));
    expect(errors).toHaveLength(6);
  });
});

describe('tasks that lead to tasks without an end', () => {
  it('do not keep the event loop', async () => {
    let isOver = false;
    const endless = task('again', () => !isOver && turn.add(endless));
    turn.add(endless);
    await nextTurn();
    const done = ran.length;
    await nextTurn();
    expect(ran.length).toBeGreaterThan(done);
    isOver = true;
    await nextTurn();
    const all = ran.length;
    await nextTurn();
    expect(ran).toHaveLength(all);
  });

  it('do not keep others from their turn', async () => {
    let isOver = false;
    const endless = task('again', () => !isOver && turn.add(endless));
    turn.add(endless);
    await nextTurn();
    turn.add(task('other'));
    await nextTurn();
    expect(ran).toContain('other');
    isOver = true;
    await nextTurn();
  });

  it('are all done if there is an end, in as many turns as it takes', async () => {
    const chain = (left: number): { run(): void } =>
      task(String(left), () => left > 0 && turn.add(chain(left - 1)));
    turn.add(chain(50));
    await nextTurn();
    expect(ran.length).toBeLessThan(51);
    await untilRan(51);
    expect(ran).toEqual(numbers(51).reverse());
  });
});
