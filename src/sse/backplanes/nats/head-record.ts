import type { Position } from '../../protocol/position.js';

/**
 * What is kept of a channel apart from its events, so that it outlives them: the stream of the logs lets go of the
 * oldest, whosever they are.
 */
export type HeadRecord =
  /** Somebody publishes: the record says nothing of the newest event. */
  | { readonly kind: 'active'; readonly after?: Position | undefined }
  /** Nothing has come after the newest event. Who publishes makes it `active` before. */
  | { readonly kind: 'quiet'; readonly after?: Position | undefined; readonly head: Position }
  /** Nothing will come after it: the log was ended by a message, until a time by the server's clock. */
  | {
      readonly kind: 'completed';
      readonly after?: Position | undefined;
      readonly head: Position;
      readonly end: Position;
      readonly until: number;
    };

/** A record as it is kept. There is none at first, or where somebody else wrote what there is. */
export interface KeptRecord {
  /** The sequence of its message, or 0. */
  readonly seq: number;
  readonly record?: HeadRecord;
}

/** JSON has no word for a time that never comes. */
export const encodeRecord = (record: HeadRecord): string =>
  JSON.stringify(record, (_key, value: unknown) => (value === Infinity ? 'Infinity' : value));

export function decodeRecord(seq: number, text: string): KeptRecord {
  try {
    const read: unknown = JSON.parse(text, (_key, value: unknown) =>
      value === 'Infinity' ? Infinity : value,
    );
    return isRecord(read) ? { seq, record: read } : { seq };
  } catch {
    return { seq };
  }
}

function isRecord(value: unknown): value is HeadRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, after, head, end, until } = value as Record<string, unknown>;
  if (after !== undefined && !isPosition(after)) return false;
  if (kind === 'active') return true;
  if (kind === 'quiet') return isPosition(head);
  return kind === 'completed' && isPosition(head) && isPosition(end) && typeof until === 'number';
}

function isPosition(value: unknown): value is Position {
  if (typeof value !== 'object' || value === null) return false;
  const { offset, mark } = value as Record<keyof Position, unknown>;
  return Number.isSafeInteger(offset) && typeof mark === 'string';
}
