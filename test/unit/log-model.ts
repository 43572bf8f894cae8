import fc from 'fast-check';
import type { EventLog, LogEntry } from '../../src/sse/log/event-log.js';
import { newMark } from '../../src/sse/backplanes/common/mark.js';
import type { Position } from '../../src/sse/protocol/position.js';
import type { HistoryOptions } from '../../src/sse/sse.options.js';
import { BIRTH, nextEntry, positionOf } from './log-entries.js';

export type Step =
  | { readonly do: 'push'; readonly hole: number; readonly bytes: number; readonly after: number }
  | { readonly do: 'expire'; readonly after: number }
  | { readonly do: 'shrink'; readonly to: number }
  /** Up to the newest event, or so many entries before it, or an offset after it. */
  | { readonly do: 'clear'; readonly upTo: 'head' | 'beyond' | number }
  | { readonly do: 'purge' };

const push = fc.record({
  do: fc.constant('push' as const),
  hole: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 5 }) }),
  bytes: fc.integer({ min: 10, max: 40 }),
  after: fc.nat({ max: 10 }),
});
const expire = fc.record({ do: fc.constant('expire' as const), after: fc.nat({ max: 60 }) });
const shrink = fc.record({ do: fc.constant('shrink' as const), to: fc.nat({ max: 500 }) });
const clear = fc.record({
  do: fc.constant('clear' as const),
  upTo: fc.oneof(fc.constant('head' as const), fc.constant('beyond' as const), fc.nat({ max: 50 })),
});
const purge = fc.record({ do: fc.constant('purge' as const) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: push },
  { weight: 2, arbitrary: expire },
  { weight: 1, arbitrary: shrink },
  { weight: 1, arbitrary: clear },
  { weight: 1, arbitrary: purge },
);
export const limits = fc.record({
  count: fc.constantFrom(1, 2, 7, 40, Infinity),
  bytes: fc.constantFrom(1, 30, 100, 1_000, Infinity),
  age: fc.constantFrom(0.5, 1, 25, 100, Infinity),
});
/** The limits of a log, and what happens to it. */
export const history = fc.tuple(limits, fc.array(step, { maxLength: 150 }));

/** What a log is supposed to be: an array, of which the limits cut something off the front. */
export class Model {
  kept: LogEntry[] = [];
  /** All entries that there ever were. */
  readonly all: LogEntry[] = [];
  head = BIRTH;
  floor = BIRTH;
  clearedAt = 0;
  now = 1_000_000;

  constructor(readonly limits: Required<HistoryOptions>) {}

  get bytes(): number {
    return this.kept.reduce((sum, { event }) => sum + event.bytes, 0);
  }

  push(entry: LogEntry): void {
    this.kept.push(entry);
    this.all.push(entry);
    this.head = positionOf(entry);
    const { count, bytes } = this.limits;
    this.#cut(() => this.kept.length > 1 && (this.kept.length > count || this.bytes > bytes));
    this.expire(entry.at);
  }

  shrink(bytes: number): void {
    this.#cut(() => this.kept.length > 1 && this.bytes > bytes);
  }

  expire(now: number): void {
    this.#cut(() => this.kept.length > 0 && now - this.kept[0]!.at >= this.limits.age);
  }

  clear(upTo: Position): void {
    this.#cut(() => this.kept.length > 0 && this.kept[0]!.offset <= upTo.offset);
    if (upTo.offset > this.floor.offset) this.floor = upTo;
    if (upTo.offset > this.head.offset) this.head = upTo;
  }

  purge(): void {
    this.clear(this.head);
    this.clearedAt = this.head.offset;
  }

  /** A position that a purge may name: of an entry that is kept or was, of the head, or of a later event. */
  place(upTo: 'head' | 'beyond' | number): Position {
    if (upTo === 'beyond') return { offset: this.head.offset + 3, mark: newMark() };
    const before = upTo === 'head' ? undefined : this.all.at(-1 - upTo);
    return before ? positionOf(before) : this.head;
  }

  #cut(while_: () => boolean): void {
    while (while_()) this.floor = positionOf(this.kept.shift()!);
  }
}

/** Has the same happen to a log and its model. */
export function take(log: EventLog, model: Model, step: Step): void {
  if ('after' in step) model.now += step.after;
  if (step.do === 'push') {
    const entry = nextEntry(model.head, { ...step, at: model.now });
    for (const each of [log, model]) each.push(entry);
  } else if (step.do === 'shrink') {
    for (const each of [log, model]) each.shrink(step.to);
  } else if (step.do === 'clear') {
    const upTo = model.place(step.upTo);
    for (const each of [log, model]) each.clear(upTo);
  } else if (step.do === 'purge') {
    for (const each of [log, model]) each.purge();
  } else {
    for (const each of [log, model]) each.expire(model.now);
  }
}
