import type { HistoryOptions } from '../../sse.options.js';

/** What is kept of a channel beside its events: the newest message on a subject of its own. */
export interface ChannelRecord {
  /** What came up to this offset may be gone. */
  readonly floor: number;
  /** What came up to this offset was purged. */
  readonly purged: number;
  /** Changes when the channel begins anew after it was completed: it is another log then. */
  readonly generation: number;
  readonly completed?: Completion;
  readonly limits: Required<HistoryOptions>;
}

export interface Completion {
  /** What has a higher sequence came too late. Left out, it is the sequence of the record. */
  readonly at?: number;
  /** When it is forgotten, in milliseconds since 1970. */
  readonly until: number;
}

/** A record as it is kept. There is none at first, or when somebody else wrote what there is. */
export interface KeptRecord {
  /** The sequence of its message, or 0. */
  readonly seq: number;
  readonly record?: ChannelRecord;
}

/** JSON has no word for a limit that is none. */
export function encodeRecord(record: ChannelRecord): string {
  return JSON.stringify(record, (_key, value: unknown) => (value === Infinity ? 'Infinity' : value));
}

export function decodeRecord(seq: number, text: string): KeptRecord {
  try {
    const read: unknown = JSON.parse(text, (_key, value: unknown) =>
      value === 'Infinity' ? Infinity : value,
    );
    if (!isRecord(read)) return { seq };
    const { completed } = read;
    return { seq, record: completed ? { ...read, completed: { at: seq, ...completed } } : read };
  } catch {
    return { seq };
  }
}

function isRecord(value: unknown): value is ChannelRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { floor, purged, generation, limits, completed } = value as Record<keyof ChannelRecord, unknown>;
  return (
    [floor, purged, generation].every(Number.isSafeInteger) &&
    typeof limits === 'object' &&
    limits !== null &&
    (completed === undefined || (typeof completed === 'object' && completed !== null))
  );
}
