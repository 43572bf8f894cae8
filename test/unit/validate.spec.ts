import { describe, expect, it } from '@jest/globals';
import {
  ageOf,
  booleanOf,
  checkObject,
  countOf,
  functionOf,
  lifetimeOf,
  listOf,
  millisecondsOf,
  oneOf,
  replayOf,
  slowOf,
  stringOf,
  withDefaults,
} from '../../src/sse/validate.js';
import { refusal, refused } from './refusal.js';

type Check = (name: string, value: never) => unknown;

const latest = (): string => 'key';
const noNumbers = [null, undefined, NaN, -1, '1', '', true, [], {}, () => 1, Symbol('a'), 1n];

/** Each check: what it takes, what it refuses, and what it says that it takes. */
const checks: Record<string, { check: Check; takes: unknown[]; refuses: unknown[]; says: RegExp }> = {
  millisecondsOf: {
    check: millisecondsOf,
    takes: [0, 1, 2 ** 31 - 1],
    refuses: [...noNumbers, 0.5, Infinity, 2 ** 31],
    says: /a whole number of milliseconds from 0 to 2147483647/,
  },
  'millisecondsOf from 1': {
    check: (name, value) => millisecondsOf(name, value, 1),
    takes: [1],
    refuses: [0],
    says: /a whole number of milliseconds from 1 to 2147483647/,
  },
  lifetimeOf: {
    check: lifetimeOf,
    takes: [1, 2 ** 31 - 1, Infinity],
    refuses: [...noNumbers, 0, 0.5, 2 ** 31, -Infinity],
    says: /a whole number of milliseconds from 1 to 2147483647, or Infinity/,
  },
  ageOf: {
    check: ageOf,
    takes: [0.5, 1, 2 ** 40, Infinity],
    refuses: [...noNumbers, 0, -Infinity],
    says: /a number of milliseconds above 0, or Infinity/,
  },
  countOf: {
    check: (name, value) => countOf(name, value, 1),
    takes: [1, Number.MAX_SAFE_INTEGER, Infinity],
    refuses: [...noNumbers, 0, 1.5, 2 ** 53, -Infinity],
    says: /a whole number of at least 1, or Infinity/,
  },
  stringOf: { check: stringOf, takes: ['', 'a'], refuses: [null, 1, ['a'], {}], says: /a string/ },
  booleanOf: {
    check: booleanOf,
    takes: [true, false],
    refuses: [null, 0, 1, 'true', '', {}],
    says: /true or false/,
  },
  oneOf: {
    check: (name, value) => oneOf(name, value as string, ['gap', 'disconnect']),
    takes: ['gap', 'disconnect'],
    refuses: [null, '', 'some', 'GAP', 1, false, [], {}, ['gap'], Symbol('a')],
    says: /one of "gap", "disconnect"/,
  },
  functionOf: { check: functionOf, takes: [() => 1], refuses: [null, 'ip', {}, 1], says: /a function/ },
  listOf: {
    check: (name, value) => listOf<unknown>(name, value, 'numbers', (item) => typeof item === 'number'),
    takes: [[], [1, 2]],
    refuses: [null, 1, 'a', {}, ['a'], [1, 'a']],
    says: /a list of numbers/,
  },
  replayOf: {
    check: replayOf,
    takes: ['none', 'all', 0, 1, Infinity],
    refuses: [null, -1, 1.5, NaN, 'some', '1', true, {}],
    says: /"none", "all" or a number of events|a whole number of at least 0, or Infinity/,
  },
  slowOf: {
    check: slowOf,
    takes: ['gap', 'disconnect', { latest }],
    refuses: ['latest', 1, null, [], {}, { latest: 'key' }, { latest, other: 1 }],
    says: /one of "gap", "disconnect"|latest/,
  },
  checkObject: {
    check: (name, value) => {
      checkObject(value, ['known'], `The option "${name}"`);
      return value;
    },
    takes: [{}, { known: 1 }, { known: undefined }, Object.create(null)],
    refuses: [null, undefined, 1, '', true, [], () => 1, { other: 1 }],
    says: /takes? .*known/,
  },
};

describe('a check of an option', () => {
  it.each(Object.entries(checks))('%s gives what it takes, and refuses the rest', (_name, row) => {
    const check = (value: unknown): unknown => row.check('size', value as never);
    expect(row.takes.map(check)).toEqual(row.takes);
    for (const value of row.refuses) {
      expect(refusal(() => check(value))).toEqual(refused('INVALID_OPTIONS', /size/));
      expect(refusal(() => check(value))).toEqual(refused('INVALID_OPTIONS', row.says));
    }
  });

  it('says what it was given', () => {
    const given = ['', 'a"b', 1n, Symbol('a'), null, undefined, NaN, () => 1, [1], Object.create(null)];
    const said = given.map((value) => (refusal(() => ageOf('size', value as number)) as Error).message);
    expect(said.map((message) => /^The option "size" is (.*)\. Give it /.exec(message)?.[1])).toEqual([
      '""',
      '"a\\"b"',
      '1',
      'Symbol(a)',
      'null',
      'undefined',
      'NaN',
      'a function',
      'a list',
      'an object',
    ]);
  });

  it('names an option that does not exist, and those that do', () => {
    expect(refusal(() => checkObject({ size: 1 }, ['count', 'age'], 'hub.stream()'))).toEqual(
      refused('INVALID_OPTIONS', /^hub\.stream\(\) has no option "size"\. It takes count, age\.$/),
    );
  });
});

describe('an object of options', () => {
  const defaults = { count: 1, age: 2 };

  it('has the default for each that is left out or undefined', () => {
    expect(withDefaults('history', undefined, defaults)).toBe(defaults);
    expect(withDefaults('history', { count: 3 }, defaults)).toEqual({ count: 3, age: 2 });
    expect(withDefaults<typeof defaults>('history', { age: undefined } as never, defaults)).toEqual(defaults);
  });

  it('is refused by its name when it is none, or has others', () => {
    for (const given of [null, 1, [], { size: 1 }]) {
      expect(refusal(() => withDefaults('history', given as never, defaults))).toEqual(
        refused('INVALID_OPTIONS', /^The option "history" (takes an object of|has no option "size")/),
      );
    }
  });
});
