import type { Cursor } from './cursor.js';

/** The cursor that hands events on at this moment. Where one arrives it can so be seen by whom it was read. */
let current: Cursor | undefined;

export const cursorHandingOn = (): Cursor | undefined => current;

/** Runs what hands events of a cursor on. One may well lead to another's. */
export function handOn(cursor: Cursor, task: () => void): void {
  const before = current;
  current = cursor;
  try {
    task();
  } finally {
    current = before;
  }
}
