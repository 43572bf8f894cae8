import type { Position } from '../../protocol/position.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { ageOf } from './nothing-yet.js';
import { positionOf } from './redis.entries.js';

/** A log as Redis has it. */
export interface Kept {
  readonly now: number;
  readonly head: Position;
  readonly floor: Position;
  readonly birth: Position;
  readonly born: number;
  readonly clearedAt: number;
  readonly completed: boolean;
  /** What else the script has answered. */
  readonly rest: readonly unknown[];
}

/** A channel that is not there. */
export interface Absent {
  readonly now: number;
}

export const isThere = (kept: Kept | Absent): kept is Kept => 'head' in kept;

/** What a script that reads answers. */
export function keptOf([now, ...log]: readonly unknown[]): Kept | Absent {
  if (log.length === 0) return { now: Number(now) };
  const [head, mark, floor, floorMark, birth, born, cleared, done] = log as string[];
  return {
    now: Number(now),
    head: positionOf(head, mark as string),
    floor: positionOf(floor, floorMark as string),
    birth: positionOf('0', birth as string),
    born: Number(born),
    clearedAt: Number(cleared),
    completed: done === '1',
    rest: log.slice(8),
  };
}

/** Whether a position is the beginning of a log: its birth, or one of nothing yet after which it was the first. */
export function beginsWith(
  { birth, born }: Kept,
  store: string,
  { ttl }: ChannelSettings,
  position: Position,
): boolean {
  if (position.offset !== 0) return false;
  return position.mark === birth.mark || ageOf(position, store, born, ttl) !== undefined;
}
