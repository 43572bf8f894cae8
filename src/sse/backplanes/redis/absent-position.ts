import type { Position } from '../../protocol/position.js';

/*
 * The position of a channel that is not there ("nothing yet"): offset 0, and a mark that says in which store that was
 * seen, and when by its clock. It is valid for half of the channel's ttl. It is young, and need not be renewed, for an
 * eighth of it (redis.answers.ts): a channel that is followed is looked at that often.
 */

/** The store's name, and milliseconds since 1970. The birth mark of a log is shorter, and not taken for one. */
const MARK = /^([0-9A-Za-z]{8})([0-9a-z]{7,9})$/;

/** @param at when the channel was seen not to be there, in milliseconds since 1970 */
export const absentPosition = (store: string, at: number): Position => ({
  offset: 0,
  mark: store + at.toString(36),
});

/**
 * The age of such a position in milliseconds; undefined for any other position, and for one that is no longer valid, as
 * it is `ttl / 2` old. A log is there for its `ttl` at least, so none has come and gone within less than that. Half of
 * it is relied on, so that a clock that was set back by less than the other half does no harm.
 *
 * @param store the store that there is now
 * @param until the end of the time without a log: its birth, or now
 */
export function ageOf(
  { offset, mark }: Position,
  store: string,
  until: number,
  ttl: number,
): number | undefined {
  const [, itsStore, at = ''] = (offset === 0 && MARK.exec(mark)) || [];
  if (itsStore !== store) return undefined;
  const age = until - Number.parseInt(at, 36);
  return age >= 0 && age < ttl / 2 ? age : undefined;
}
