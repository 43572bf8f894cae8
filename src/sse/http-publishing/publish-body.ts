import { BadRequestException } from '@nestjs/common';
import type { SseEventInput } from '../log/sse-event.js';
import { isObject } from '../values.js';

/** The body of a request to publish, as far as its form says. The hub checks channels and events. */
export type PublishBody =
  | { readonly kind: 'one'; readonly channel: string; readonly event: SseEventInput }
  | { readonly kind: 'copies'; readonly channels: readonly string[]; readonly event: SseEventInput }
  | { readonly kind: 'batch'; readonly events: readonly BatchEntry[] };

export interface BatchEntry {
  readonly channel: string;
  readonly event: SseEventInput;
}

const FORMS =
  'Send JSON: { "channel": name, "type"?, "data"?, ... }, { "channels": [names], "type"?, "data"?, ... }, or { "events": [...] } with objects of the first form.';

/** @throws BadRequestException */
export function publishBody(body: unknown): PublishBody {
  if (!isRecord(body)) throw new BadRequestException(FORMS);
  if ('events' in body) return batchOf(body);
  const { channel, channels, ...event } = body;
  if (channels === undefined && typeof channel === 'string') return { kind: 'one', channel, event };
  if (channel === undefined && isNames(channels)) return { kind: 'copies', channels, event };
  throw new BadRequestException(FORMS);
}

function batchOf({ events, ...others }: Readonly<Record<string, unknown>>): PublishBody {
  if (!Array.isArray(events) || events.length === 0 || Object.keys(others).length > 0)
    throw new BadRequestException(FORMS);
  return { kind: 'batch', events: events.map(entryOf) };
}

function entryOf(entry: unknown, index: number): BatchEntry {
  const { channel, ...event } = isRecord(entry) ? entry : {};
  if (typeof channel === 'string') return { channel, event };
  throw new BadRequestException(`The event at index ${index} is no object with a "channel". ${FORMS}`);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  isObject(value) && !Array.isArray(value);

const isNames = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');
