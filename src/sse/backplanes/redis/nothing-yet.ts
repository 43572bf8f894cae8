import type { Position } from '../../protocol/position.js';

/** The position of a channel that was not there, as Redis tells it: in which store, and when by its clock. */
interface NothingYet {
  readonly store: string;
  /** In milliseconds since 1970. */
  readonly at: number;
}

/** A log's birth mark is shorter. */
const FORM = /^([0-9A-Za-z]{8})([0-9a-z]{7,9})$/;

/** The position of a channel that is not there in a store at a time of its clock. */
export const nothingYet = (store: string, at: number): Position => ({
  offset: 0,
  mark: store + at.toString(36),
});

function parse({ offset, mark }: Position): NothingYet | undefined {
  const match = offset === 0 ? FORM.exec(mark) : null;
  return match ? { store: match[1] as string, at: Number.parseInt(match[2] as string, 36) } : undefined;
}

/**
 * How long ago a position of nothing yet was told, in milliseconds, if no log of its channel can have come and gone
 * since; else undefined. A log is there for its `ttl` at least, so none has within less than that. Half of it is
 * counted on, so that a clock that was set back by less than the other half does no harm.
 *
 * @param store the one that there is now
 * @param until when the log was made that is there now; if there is none, now
 */
export function ageOf(position: Position, store: string, until: number, ttl: number): number | undefined {
  const told = parse(position);
  if (told?.store !== store) return undefined;
  const age = until - told.at;
  return age >= 0 && age < ttl / 2 ? age : undefined;
}
