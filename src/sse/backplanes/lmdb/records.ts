import type { LogEntry } from '../../hub/event-log.js';
import { eventBody } from '../../protocol/event-stream.js';

/**
 * The form of what is stored. It changes with each change to the records in this file, or to the tables
 * and their keys, that an older version would not understand.
 */
export const SCHEMA = 1;

/** What is stored of a channel, under its name. */
export interface ChannelRecord {
  /** What its entries are stored under. */
  readonly epoch: string;
  head: number;
  floor: number;
  clearedAt: number;
  /** The bytes of its events, as they go out. */
  bytes: number;
  completed: boolean;
  /** When it was last of use, in milliseconds since 1970. */
  touched: number;
  /** From its settings: what time does to it also when nobody comes to say how it is configured. */
  ttl: number;
  age: number;
}

type Maybe<T> = T | null;

/** What is stored of an event, under its channel's epoch and its offset. */
export type EntryRecord = readonly [
  at: number,
  bytes: number,
  json: boolean,
  data: Maybe<string>,
  type: Maybe<string>,
  id: Maybe<string>,
  retry: Maybe<number>,
  comment: Maybe<string>,
];

export function entryRecord({ at, event }: LogEntry): EntryRecord {
  const { bytes, json, data = null, type = null, id = null, retry = null, comment = null } = event;
  return [at, bytes, json, data, type, id, retry, comment];
}

/** Offsets have no holes here. What the client is sent is made of the event's fields again. */
export function entryOf(offset: number, record: EntryRecord): LogEntry {
  const [at, bytes, json, ...fields] = record;
  const [data, type, id, retry, comment] = fields.map((field) => field ?? undefined) as [
    string | undefined,
    string | undefined,
    string | undefined,
    number | undefined,
    string | undefined,
  ];
  const body = eventBody({ type, retry, comment, data });
  return { offset, previous: offset - 1, at, event: { body, bytes, type, id, retry, comment, data, json } };
}

/** What is stored of an event that was published with a `publishId`, under a number that counts them. */
export type PublishIdRecord = readonly [
  channel: string,
  publishId: string,
  epoch: string,
  offset: number,
  at: number,
];
