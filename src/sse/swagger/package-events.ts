import type { JsonSchema } from './json-schema.js';

/*
 * The events that this package sends. Their types and the fields of their data cannot change, see "Words that cannot change" in
 * src/sse/README.md.
 */

/** A type of event that only this package sends. */
export type PackageEventType =
  'sse-position' | 'gap' | 'snapshot' | 'members' | 'denied' | 'expired' | 'connection' | 'error';

export interface PackageEvent {
  readonly description: string;
  readonly data: JsonSchema;
}

const text = (description: string): JsonSchema => ({ type: 'string', description });

/** @param fields that it always has */
const object = (
  fields: Readonly<Record<string, JsonSchema>>,
  others: Readonly<Record<string, JsonSchema>> = {},
): JsonSchema => ({
  type: 'object',
  properties: { ...fields, ...others },
  ...(Object.keys(fields).length > 0 && { required: Object.keys(fields) }),
});

const channel = text('The name of the channel.');
const user = text('The name of the user.');
const info: JsonSchema = { description: 'Public information about the user.' };

/** The data of `join` and `leave`, the events that a channel with presence has in its log. */
export const PRESENCE_EVENT: JsonSchema = object({ user }, { info });

const MEMBER = object(
  {
    user,
    connections: {
      type: 'integer',
      minimum: 0,
      description: 'Connections of the user that stream the channel.',
    },
    since: { type: 'string', format: 'date-time', description: 'When the user came.' },
  },
  { info },
);

/** The beginning of the names of its components. */
export const packageName = (type: PackageEventType): string => `sse-${type.replace('sse-', '')}`;

export const PACKAGE_EVENTS: Readonly<Record<PackageEventType, PackageEvent>> = {
  'sse-position': {
    description:
      'The id of this event is the position of the client. It comes first, and whenever the position moves without another event.',
    data: object({}),
  },
  gap: {
    description: 'Events are missing here. What the history still has follows, or a snapshot.',
    data: object({
      channel,
      reason: {
        type: 'string',
        enum: ['evicted', 'lagged', 'unknown', 'unreadable'],
        description:
          'evicted: the events after the position are not kept any more. lagged: the client read too slowly. unknown: the history does not have the event of the position. unreadable: the last event id is no position.',
      },
      requested: text('The last event id of the client; empty if it had none.'),
      oldest: { type: ['string', 'null'], description: 'The id of the oldest event that is left.' },
      latest: text('The id of the newest event; empty without history.'),
    }),
  },
  snapshot: {
    description: 'The state of a channel, in place of the events before it.',
    data: object({ channel, state: { description: 'What the application tells as the state.' } }),
  },
  members: {
    description: 'All members of a channel. The events join and leave continue the list.',
    data: object({ channel, members: { type: 'array', items: MEMBER } }),
  },
  denied: {
    description: 'The client does not get a channel, or not any more.',
    data: object({
      channel,
      reason: {
        type: 'string',
        enum: ['forbidden', 'revoked'],
        description: 'forbidden: the client may not have the channel. revoked: it was taken away.',
      },
    }),
  },
  expired: {
    description: 'The identity of the client has expired. The stream ends.',
    data: object({}),
  },
  connection: {
    description: 'The first event. Its id is the one by which the client joins and leaves channels.',
    data: object({ id: { type: 'string', format: 'uuid' } }),
  },
  error: {
    description: 'The stream has failed, and ends.',
    data: text('The reason, for people.'),
  },
};
