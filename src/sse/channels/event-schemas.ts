import type { StandardSchemaV1 } from '@standard-schema/spec';
import { reasonOf, SseError } from '../sse.errors.js';
import { invalid } from '../validate.js';
import { RESERVED_TYPES, type SseEventInput } from '../log/sse-event.js';
import { typeOf } from '../log/event-type.js';
import { isThenable } from '../values.js';

declare const DATA: unique symbol;

/** Tells the compiler the type of an event's data. At run time it does nothing. */
export interface EventType<Data> {
  readonly [DATA]?: Data;
}

const UNCHECKED: EventType<never> = Object.freeze({});

/** The type of an event's data, for `defineChannel()`: `events: { message: type<ChatMessage>() }`. */
export function type<Data>(): EventType<Data> {
  return UNCHECKED;
}

/** The schema of each type of event; undefined where data is not checked. */
export type EventSchemas = ReadonlyMap<string, StandardSchemaV1 | undefined>;

/** Issues that a message lists. */
const LISTED = 3;

/**
 * The types of event of a definition, with their schemas.
 *
 * @throws SseError `INVALID_OPTIONS` for what is neither a schema nor made by `type()`: an older version of a
 * library perhaps, and nothing would be checked; `INVALID_EVENT`, `RESERVED_TYPE`
 */
export function eventSchemas(events: Readonly<Record<string, unknown>>): EventSchemas {
  if (typeof events !== 'object' || (events as object | null) === null)
    invalid('events', events, 'an object: the data of each type of event');
  const schemas = new Map<string, StandardSchemaV1 | undefined>();
  for (const [eventType, schema] of Object.entries(events)) {
    typeOf(eventType); // one that can never be published is found here
    schemas.set(eventType, schema === UNCHECKED ? undefined : schemaOf(`events.${eventType}`, schema));
  }
  return schemas;
}

/** @returns undefined where no type has a schema, so that events of the channel are not checked at all */
export const checkedBy = (events: EventSchemas | undefined): EventSchemas | undefined =>
  events && [...events.values()].some((schema) => schema !== undefined) ? events : undefined;

function schemaOf(name: string, value: unknown): StandardSchemaV1 {
  const schema = value as Partial<StandardSchemaV1> | null | undefined;
  if (typeof schema?.['~standard']?.validate === 'function') return schema as StandardSchemaV1;
  return invalid(
    name,
    value,
    'type<…>(), or a Standard Schema, which has a "~standard" property with a function validate()',
  );
}

/**
 * An event with the output of its schema as its data. Only an asynchronous schema costs a Promise.
 *
 * @throws SseError `INVALID_EVENT`: its type is not one of the channel's; `INVALID_DATA`: its data is not what
 * the schema takes. Or the Promise rejects with that.
 */
export function checkedEvent(
  channel: string,
  event: SseEventInput,
  schemas: EventSchemas,
): SseEventInput | Promise<SseEventInput> {
  if (typeof event !== 'object' || (event as object | null) === null) return event; // refused when it is encoded
  const { type: eventType = 'message', data } = event;
  if (!schemas.has(eventType)) {
    // Such types are refused when the event is encoded.
    if (typeof eventType !== 'string' || RESERVED_TYPES.has(eventType)) return event;
    throw new SseError(
      'INVALID_EVENT',
      `The channel "${channel}" has no events of type ${JSON.stringify(eventType)}. Its definition has ${[...schemas.keys()].join(', ')}.`,
    );
  }
  const schema = schemas.get(eventType);
  if (!schema) return event;
  const refuse = (fault: string, cause: unknown): never => {
    const subject = `The data of an event of type "${eventType}" of the channel "${channel}"`;
    throw new SseError('INVALID_DATA', `${subject} ${fault}`, { cause });
  };
  const checked = (result: StandardSchemaV1.Result<unknown>): SseEventInput => {
    if (!result.issues) return { ...event, data: result.value };
    return refuse(`is not what its schema takes: ${listOf(result.issues)}`, result.issues);
  };
  const failed = (error: unknown): never =>
    refuse(`cannot be checked. Its schema fails: ${reasonOf(error)}`, error);
  let result: StandardSchemaV1.Result<unknown> | Promise<StandardSchemaV1.Result<unknown>>;
  try {
    result = schema['~standard'].validate(data);
  } catch (error) {
    return failed(error);
  }
  return isThenable(result) ? Promise.resolve(result).then(checked, failed) : checked(result);
}

function listOf(issues: readonly StandardSchemaV1.Issue[]): string {
  const listed = issues.slice(0, LISTED).map(({ path, message }) => {
    const keys = path?.map((segment) => String(typeof segment === 'object' ? segment.key : segment)) ?? [];
    return keys.length === 0 ? message : `at ${keys.join('.')}: ${message}`;
  });
  const left = issues.length - LISTED;
  return listed.join('; ') + (left > 0 ? `; and ${left} more` : '');
}
