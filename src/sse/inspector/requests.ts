import {
  BadRequestException,
  HttpException,
  HttpStatus,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import { SseError, type SseErrorCode } from '../sse.errors.js';
import type { ChannelQuery, ChannelSort } from './channel-rows.js';
import type { ConnectionQuery, ConnectionSort, RowState } from './connection-rows.js';
import type { ExplainQuery } from './inspector.js';

// Reads what the page sends. Others may send anything: whatever is wrong is answered 400.

export type Query = Readonly<Record<string, unknown>>;

const LONGEST = 500;
const MOST_ROWS = 200;

export const connectionsQuery = (query: Query): ConnectionQuery & { offset: number; limit: number } => ({
  text: (textIn(query, 'text') ?? '').toLowerCase(),
  channel: textIn(query, 'channel'),
  state:
    query['state'] === undefined
      ? undefined
      : oneIn<RowState>(query, 'state', ['opening', 'open', 'backed up']),
  sort: oneIn<ConnectionSort>(query, 'sort', ['since', 'user', 'path', 'lag', 'waiting', 'channels']),
  order: oneIn(query, 'order', ['down', 'up']),
  ...windowIn(query),
});

export const channelsQuery = (query: Query): ChannelQuery & { offset: number; limit: number } => ({
  text: (textIn(query, 'text') ?? '').toLowerCase(),
  sort: oneIn<ChannelSort>(query, 'sort', ['name', 'subscribers', 'rate', 'events', 'bytes']),
  order: oneIn(query, 'order', ['up', 'down']),
  ...windowIn(query),
});

export const explainQuery = (query: Query): ExplainQuery => ({
  event: requiredIn(query, 'event'),
  channel: textIn(query, 'channel'),
  connection: textIn(query, 'connection'),
  user: textIn(query, 'user'),
});

const windowIn = (query: Query): { offset: number; limit: number } => ({
  offset: numberIn(query, 'offset', 0, 1_000_000),
  limit: numberIn(query, 'limit', 50, MOST_ROWS),
});

/** A text; undefined where it is left out or empty. */
export function textIn(values: Query, name: string, longest = LONGEST): string | undefined {
  const value = values[name];
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string' && value.length <= longest) return value;
  throw new BadRequestException(`"${name}" is a text of at most ${longest} characters.`);
}

export function requiredIn(values: Query, name: string): string {
  const text = textIn(values, name, 5_000);
  if (text === undefined) throw new BadRequestException(`Give "${name}".`);
  return text;
}

function numberIn(values: Query, name: string, fallback: number, most: number): number {
  const text = textIn(values, name) ?? String(fallback);
  if (/^\d{1,9}$/.test(text) && Number(text) <= most) return Number(text);
  throw new BadRequestException(`"${name}" is a whole number from 0 to ${most}.`);
}

/** The first of the values is the default. */
function oneIn<Value extends string>(
  values: Query,
  name: string,
  allowed: readonly [Value, ...Value[]],
): Value {
  const value = values[name] ?? allowed[0];
  if (allowed.includes(value as Value)) return value as Value;
  throw new BadRequestException(`"${name}" is one of ${allowed.join(', ')}.`);
}

/**
 * The body of a request that changes something. A form of another site cannot send JSON, and a script of another site only
 * after a preflight.
 */
export function bodyOf(contentType: string | undefined, body: unknown): Query {
  if (!/^application\/json\b/i.test(contentType ?? ''))
    throw new UnsupportedMediaTypeException('Send JSON, with the content type application/json.');
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Query;
  throw new BadRequestException('Send a JSON object.');
}

const STATUS: Partial<Readonly<Record<SseErrorCode, HttpStatus>>> = {
  CHANNEL_COMPLETED: HttpStatus.CONFLICT,
  HUB_FULL: HttpStatus.SERVICE_UNAVAILABLE,
  HUB_CLOSED: HttpStatus.SERVICE_UNAVAILABLE,
  BACKPLANE_AWAY: HttpStatus.SERVICE_UNAVAILABLE,
  PUBLISH_UNCERTAIN: HttpStatus.SERVICE_UNAVAILABLE,
};

/** Awaits a call of the hub. @throws HttpException for an SseError: its message says what to do */
export async function answered<Result>(call: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof SseError)) throw error;
    throw new HttpException(
      { statusCode: STATUS[error.code] ?? HttpStatus.BAD_REQUEST, code: error.code, message: error.message },
      STATUS[error.code] ?? HttpStatus.BAD_REQUEST,
    );
  }
}
