import type { LogBounds, LogEntry } from '../../log/event-log.js';
import { travelling, type EventCopy } from '../../log/stored-event.js';
import { eventBody } from '../../protocol/event-stream.js';
import type { Position } from '../../protocol/position.js';

/**
 * The version of the stored form. It is raised with each change to the records in this file, or to the tables and their
 * keys, that an older version of the package would not understand.
 */
export const SCHEMA = 2;

/** The record of a channel, under its name. */
export interface ChannelRecord extends LogBounds {
  /** A random name that its entries are stored under: no other log has it, not even one of the same channel. */
  readonly log: string;
  head: Position;
  floor: Position;
  clearedAt: number;
  /** The bytes of its events, as they go out. */
  bytes: number;
  completed: boolean;
  /** When it was last of use, in milliseconds since 1970. */
  touched: number;
  /** From its settings, as a channel also expires when nobody uses it any more. */
  ttl: number;
  age: number;
}

/** Offsets have no holes on the disk. */
export const sizeOf = ({ head, floor }: LogBounds): number => head.offset - floor.offset;

type Fields = [data?: string, type?: string, id?: string, retry?: number, comment?: string];
type Travelling = [trace?: string, also?: readonly EventCopy[]];
type OrNull<List> = { [Index in keyof List]-?: List[Index] | null };

/** The record of an event, under its log's name and its offset. Older versions pass over what an event travels with. */
export type EntryRecord = readonly [
  mark: string,
  previousMark: string,
  at: number,
  bytes: number,
  json: boolean,
  ...fields: OrNull<Fields> | OrNull<[...Fields, ...Travelling]>,
];

export function entryRecord({ mark, previous, at, event }: LogEntry): EntryRecord {
  const { bytes, json, data = null, type = null, id = null, retry = null, comment = null } = event;
  const { trace = null, also = null } = event;
  if (!trace && !also) return [mark, previous.mark, at, bytes, json, data, type, id, retry, comment];
  return [mark, previous.mark, at, bytes, json, data, type, id, retry, comment, trace, also];
}

/** Makes an entry of its record, and with it the body that clients are sent. */
export function entryOf(offset: number, record: EntryRecord): LogEntry {
  const [mark, previousMark, at, bytes, json, ...fields] = record;
  const [data, type, id, retry, comment, trace, also] = fields.map((field) => field ?? undefined) as [
    ...Fields,
    ...Travelling,
  ];
  const body = eventBody({ type, retry, comment, data });
  const previous = { offset: offset - 1, mark: previousMark };
  const event = travelling({ body, bytes, type, id, retry, comment, data, json }, { trace, also });
  return { offset, mark, previous, at, event };
}

/** The record of an event that was published with a `publishId`, under a number that counts them. */
export type PublishIdRecord = readonly [
  channel: string,
  publishId: string,
  offset: number,
  mark: string,
  at: number,
];
