import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Turn } from '../../../src/sse/hub/turn.js';

let turn: Turn;
let ran: string[];
let errors: unknown[];

beforeEach(() => {
  turn = new Turn();
  ran = [];
  errors = [];
  Logger.overrideLogger({
    error: (error: unknown) => errors.push(error),
    log: () => undefined,
    warn: () => undefined,
  });
});

afterEach(() => Logger.overrideLogger(['error', 'warn']));

const task = (name: string, then: () => void = () => undefined): { turn(): void } => ({
  turn: () => {
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
});
