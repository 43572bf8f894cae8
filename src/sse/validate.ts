import { SseError } from './sse.errors.js';
import type { Replay, SlowPolicy } from './sse.options.js';

// Checks of options: each returns the value, or throws an SseError `INVALID_OPTIONS` that names the option and says what
// it takes. The types say what is allowed, and a caller in JavaScript may give anything.

/** The longest timer of Node in milliseconds: it counts in 31 bits, and a longer one fires at once. */
export const LONGEST_TIMER = 2_147_483_647;

/** @param where the object's place, which begins the message: `hub.stream()`, `The option "slow"` */
export function checkObject(given: object, known: readonly string[], where: string): void {
  if (typeof given !== 'object' || (given as object | null) === null || Array.isArray(given)) {
    throw new SseError('INVALID_OPTIONS', `${where} takes an object of ${known.join(', ')}.`);
  }
  for (const key of Object.keys(given)) {
    if (!known.includes(key)) {
      throw new SseError('INVALID_OPTIONS', `${where} has no option "${key}". It takes ${known.join(', ')}.`);
    }
  }
}

/** Fills up an object of options, each of which may be left out. */
export function withDefaults<T extends object>(name: string, given: Partial<T> | undefined, defaults: T): T {
  if (given === undefined) return defaults;
  checkObject(given, Object.keys(defaults), `The option "${name}"`);
  return { ...defaults, ...defined(given) };
}

/** The given options without those that are undefined, as these would hide a default. */
export function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
}

/** Applies a check to an option that may be left out. */
export function optional<T, Checked = T>(
  check: (name: string, value: T) => Checked,
  name: string,
  value: T | undefined,
): Checked | undefined {
  return value === undefined ? undefined : check(name, value);
}

export function millisecondsOf(name: string, value: number, least = 0): number {
  if (Number.isInteger(value) && value >= least && value <= LONGEST_TIMER) return value;
  return invalid(name, value, `a whole number of milliseconds from ${least} to ${LONGEST_TIMER}`);
}

/** A lifetime that a timer ends; `Infinity` sets none. */
export function lifetimeOf(name: string, value: number): number {
  if (value === Infinity || (Number.isInteger(value) && value >= 1 && value <= LONGEST_TIMER)) return value;
  return invalid(name, value, `a whole number of milliseconds from 1 to ${LONGEST_TIMER}, or Infinity`);
}

/** An age that is compared with, so that no timer limits it. */
export function ageOf(name: string, value: number): number {
  if (typeof value === 'number' && value > 0) return value;
  return invalid(name, value, 'a number of milliseconds above 0, or Infinity');
}

export function countOf(name: string, value: number, least: number): number {
  if (value === Infinity || (Number.isSafeInteger(value) && value >= least)) return value;
  return invalid(name, value, `a whole number of at least ${least}, or Infinity`);
}

export function stringOf(name: string, value: unknown): string {
  return typeof value === 'string' ? value : invalid(name, value, 'a string');
}

export function booleanOf(name: string, value: unknown): boolean {
  return typeof value === 'boolean' ? value : invalid(name, value, 'true or false');
}

export function oneOf<T>(name: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value;
  return invalid(name, value, `one of ${allowed.map((one) => JSON.stringify(one)).join(', ')}`);
}

export function functionOf<T>(name: string, value: T, expected = 'a function'): T {
  return typeof value === 'function' ? value : invalid(name, value, expected);
}

/** @param of the items in a word: `decorators` */
export function listOf<T>(
  name: string,
  value: readonly T[],
  of: string,
  isOne: (item: T) => boolean = () => true,
): readonly T[] {
  const isList: boolean = Array.isArray(value);
  if (isList && value.every(isOne)) return value;
  return invalid(name, value, `a list of ${of}`);
}

export function replayOf(name: string, replay: Replay): Replay {
  if (typeof replay === 'number') return countOf(name, replay, 0);
  if (replay === 'none' || replay === 'all') return replay;
  return invalid(name, replay, '"none", "all" or a number of events');
}

export function slowOf(name: string, slow: SlowPolicy): SlowPolicy {
  if (typeof slow !== 'object') return oneOf(name, slow, ['gap', 'disconnect']);
  checkObject(slow, ['latest'], `The option "${name}"`);
  functionOf(`${name}.latest`, slow.latest, 'a function that gives the key of an event');
  return slow;
}

/** @param expected the values that the option takes, with an article */
export function invalid(name: string, value: unknown, expected: string): never {
  throw new SseError('INVALID_OPTIONS', `The option "${name}" is ${described(value)}. Give it ${expected}.`);
}

function described(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
