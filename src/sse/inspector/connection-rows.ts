import type { ConnectionDetails } from '../connection-details.js';
import type { Connections } from '../http/connections.js';
import type { SseConnection } from '../http/sse-connection.js';
import type { Cursor } from '../streams/cursor.js';

/** A connection in the list. Times are milliseconds since 1970. */
export interface ConnectionRow {
  readonly id: string;
  readonly user: string | undefined;
  readonly path: string;
  readonly address: string | undefined;
  readonly since: number;
  /** The first of its channels, and how many there are. */
  readonly channels: readonly string[];
  readonly channelCount: number;
  readonly state: RowState;
  /** Events that it has not read, of the channel in which it is furthest behind. */
  readonly lag: number;
  /** Milliseconds since the oldest of these was published. */
  readonly lagTime: number;
  /** Bytes that wait for it. */
  readonly waiting: number;
}

export type RowState = 'opening' | 'open' | 'backed up';

/** One channel of a connection. Positions are offsets. */
export interface StreamRow {
  readonly channel: string;
  readonly definition: string | undefined;
  readonly state: 'opening' | 'gap owed' | 'reading' | 'ended';
  readonly began: number | undefined;
  readonly given: number | undefined;
  readonly read: number;
  readonly head: number;
  /** The ids that name `given` and `head`; empty without history. */
  readonly givenId: string;
  readonly headId: string;
  readonly lag: number;
  readonly lagTime: number;
  readonly types: readonly string[] | undefined;
  readonly hasFilter: boolean;
}

export interface ConnectionView extends ConnectionRow {
  readonly streams: readonly StreamRow[];
  /** The position that its client came with; empty for none. */
  readonly brought: string;
}

export type ConnectionSort = 'since' | 'user' | 'path' | 'lag' | 'waiting' | 'channels';

export interface ConnectionQuery {
  /** Part of a user, path, address or channel, or a whole id. */
  readonly text: string;
  readonly channel: string | undefined;
  readonly state: RowState | undefined;
  readonly sort: ConnectionSort;
  readonly order: 'up' | 'down';
}

/** How many names of channels a row has. */
const NAMES = 3;

/** The connections of this instance, without those of the inspector itself. */
export class ConnectionRows {
  /** The inspector's own streams. */
  readonly #own = new WeakSet<object>();

  constructor(private readonly connections: Connections) {}

  /** Leaves a connection out from now on. */
  hide(connection: object): void {
    this.#own.add(connection);
  }

  isShown(connection: object): boolean {
    return !this.#own.has(connection);
  }

  get all(): SseConnection[] {
    return this.connections.matching({}).filter((connection) => this.isShown(connection));
  }

  /** @returns how many match, and the first of them in this order */
  list(query: ConnectionQuery, limit: number): { readonly total: number; readonly rows: ConnectionRow[] } {
    const now = Date.now();
    const keyed = this.all
      .filter((connection) => matches(connection, query))
      // The key of each is made once. Only the rows that are shown get more, and an id.
      .map((connection) => ({ connection, key: keyOf(connection, query.sort, now) }));
    const sign = query.order === 'up' ? 1 : -1;
    keyed.sort((one, other) => sign * compare(one.key, other.key));
    return {
      total: keyed.length,
      rows: keyed.slice(0, limit).map(({ connection }) => rowOf(connection, now)),
    };
  }

  view(id: string): ConnectionView | undefined {
    const connection = this.connections.matching({ id }).find((one) => this.isShown(one));
    if (!connection) return undefined;
    const now = Date.now();
    const { lastEventId } = connection;
    const brought = lastEventId.kind === 'none' ? '' : lastEventId.text;
    const streams = connection.reader.position.cursors.map((cursor) => streamOf(cursor, now));
    return { ...rowOf(connection, now), streams, brought };
  }
}

export const compare = (one: string | number, other: string | number): number =>
  one < other ? -1 : one > other ? 1 : 0;

/** The order of rows of several instances. */
export const rowKey = (row: ConnectionRow, sort: ConnectionSort): string | number =>
  sort === 'channels' ? row.channelCount : (row[sort] ?? '');

function keyOf(connection: SseConnection, sort: ConnectionSort, now: number): string | number {
  if (sort === 'lag') return lagOf(connection, now).lag;
  if (sort === 'waiting') return connection.waitingBytes;
  if (sort === 'user') return connection.identity?.user ?? '';
  if (sort === 'path') return connection.exchange.path;
  if (sort === 'channels') return connection.reader.position.names.length;
  return connection.beganAt;
}

function matches(connection: SseConnection, { text, channel, state }: ConnectionQuery): boolean {
  if (state !== undefined && stateOf(connection) !== state) return false;
  if (channel !== undefined && !connection.reader.position.of(channel)) return false;
  if (text === '') return true;
  const { path, address } = connection.exchange;
  const words = [connection.identity?.user, path, address, ...connection.reader.position.names];
  return words.some((word) => word?.toLowerCase().includes(text) === true) || connection.hasId(text);
}

function stateOf(connection: SseConnection): RowState {
  if (!connection.isOpen) return 'opening';
  return connection.backPressure === 'backed up' ? 'backed up' : 'open';
}

function lagOf(connection: SseConnection, now: number): { readonly lag: number; readonly lagTime: number } {
  let lag = 0;
  let lagTime = 0;
  for (const cursor of connection.reader.position.cursors) {
    const behind = cursorLag(cursor, now);
    lag = Math.max(lag, behind.lag);
    lagTime = Math.max(lagTime, behind.lagTime);
  }
  return { lag, lagTime };
}

/** Offsets may have holes on NATS: there the events are fewer than the difference, and the log knows. */
function cursorLag(cursor: Cursor, now: number): { readonly lag: number; readonly lagTime: number } {
  if (!cursor.started || cursor.isEnded) return { lag: 0, lagTime: 0 };
  const { log } = cursor.channel;
  const index = log.indexAfter(cursor.read.offset);
  const oldest = log.at(index);
  return { lag: log.size - index, lagTime: oldest ? Math.max(0, now - oldest.at) : 0 };
}

function rowOf(connection: SseConnection, now: number): ConnectionRow {
  const { id, user, path, address, connectedAt, channels }: ConnectionDetails = connection.info;
  return {
    ...{ id, user, path, address, since: connectedAt.getTime() },
    ...{ channels: channels.slice(0, NAMES), channelCount: channels.length },
    ...{ state: stateOf(connection), ...lagOf(connection, now), waiting: connection.waitingBytes },
  };
}

function streamOf(cursor: Cursor, now: number): StreamRow {
  const { channel } = cursor;
  const { began, read, given, head, types, hasFilter } = cursor.progress;
  return {
    ...{ channel: channel.name, definition: channel.definition, state: phaseOf(cursor) },
    ...{ began, read, given, head, types, hasFilter, ...cursorLag(cursor, now) },
    givenId: cursor.given ? channel.idOf(cursor.given) : '',
    headId: channel.present ? channel.idOf(channel.present) : '',
  };
}

function phaseOf(cursor: Cursor): StreamRow['state'] {
  if (cursor.isEnded) return 'ended';
  if (!cursor.started) return 'opening';
  return cursor.given === undefined || cursor.owesGap ? 'gap owed' : 'reading';
}
