import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ChannelRule } from '../channels/channel-definition.js';
import { ChannelPattern } from '../channels/channel-pattern.js';
import { MAX_CHANNEL_LENGTH } from '../protocol/channel-name.js';
import { MOST_CHANNELS } from '../publishing/publish-copies.js';
import { MOST_EVENTS } from '../publishing/publish-many.js';
import { isThenable } from '../values.js';
import { componentName, type Components, type Reference } from './components.js';
import type { DescribedApp, Publisher } from './described-app.js';
import type { ChannelEvent, EventData } from './event-data.js';
import type { JsonSchema } from './json-schema.js';

/*
 * What may be published over HTTP: an event for one channel, an event for several, or a list of the former. Schemas of one choice
 * exclude each other: by their fields, by the type of event, and by the name of the channel.
 */

const ID: JsonSchema = { type: 'string', description: 'An id of your own: the channel has no history.' };
const OTHERS: Readonly<Record<string, JsonSchema>> = {
  retry: {
    type: 'integer',
    minimum: 0,
    description: 'Milliseconds that clients wait before they reconnect.',
  },
  comment: { type: 'string', description: 'A text for people who read the raw stream.' },
};
const ANY_TYPE: JsonSchema = { type: 'string', description: 'Its type; `message` without one.' };
const ANY_DATA: JsonSchema = { description: 'A string is sent as it is, any other value as JSON.' };

/** The fields of an event of one type. */
interface Fields {
  readonly properties: Readonly<Record<string, JsonSchema>>;
  readonly required: readonly string[];
}

/** An event that may be published to some channels; without `fields` it may be any. */
interface Publishable {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly channel: Reference;
  readonly hasOwnId: boolean;
  readonly fields: Fields | undefined;
}

/** The schemas of what may be published. */
export class Publications {
  constructor(
    private readonly app: DescribedApp,
    private readonly schemas: Components,
    private readonly data: EventData,
    private readonly dialect: (schema: JsonSchema) => JsonSchema,
  ) {}

  /**
   * The body of a request to publish; undefined where every channel is refused.
   *
   * @throws SseError `INVALID_OPTIONS` for a definition that is not in force
   */
  bodyOf({ channels }: Publisher): JsonSchema | undefined {
    const all = channels === 'all' ? [...this.app.definitions.keys()] : [...new Set(channels)];
    this.app.refuseUnlisted(all, 'The option "channels" of SsePublishModule');
    const events = all.flatMap((definition) => this.#eventsOf(definition));
    if (channels === 'all' && !this.app.settings.strictChannels) events.push(this.#anyOther());
    if (events.length === 0) return undefined;
    const one = this.#add('SsePublication', {
      description: 'An event for one channel.',
      oneOf: events.map((event) => this.#publication(event)),
    });
    return { oneOf: [one, this.#copies(events), this.#batch(one)] };
  }

  #eventsOf(definition: ChannelRule): Publishable[] {
    const { pattern } = definition;
    const channel = this.#channelOf(definition);
    const hasOwnId = !this.app.hasHistory(definition);
    const ofChannels = { channel, hasOwnId };
    const events = this.data.of(definition, 'input');
    if (!events) {
      const description = `An event for a channel ${pattern}.`;
      return [
        { ...ofChannels, name: componentName(pattern), title: pattern, description, fields: undefined },
      ];
    }
    return events.map((event) => ({
      ...ofChannels,
      name: componentName(pattern, event.type),
      title: `${pattern} ${event.type}`,
      description: `An event "${event.type}" for a channel ${pattern}.`,
      fields: fieldsOf(event, takesNothing(definition.events?.get(event.type))),
    }));
  }

  /** An event for a channel that no definition matches. */
  #anyOther(): Publishable {
    const defined = [...this.app.definitions.keys()];
    const channel = this.#add('SseOtherChannel', {
      ...{ type: 'string', minLength: 1, maxLength: MAX_CHANNEL_LENGTH },
      ...butNot(defined),
      description: 'The name of another channel.',
    });
    const hasOwnId = !this.app.hasHistory();
    const description = 'An event for another channel.';
    return { name: 'SseOther', title: 'other', description, channel, hasOwnId, fields: undefined };
  }

  /** The names of the channels that a definition applies to: those that match none before it. */
  #channelOf(definition: ChannelRule): Reference {
    const { pattern } = definition;
    const own = new ChannelPattern(pattern);
    const defined = [...this.app.definitions.keys()];
    const before = defined.slice(0, defined.indexOf(definition));
    return this.#add(componentName(pattern, 'Channel'), {
      ...{ type: 'string', ...namesOf(own) },
      ...butNot(before.filter((other) => own.overlaps(new ChannelPattern(other.pattern)))),
      description: `The name of a channel ${pattern}.${own.params.length > 0 ? ' Values in it are percent-encoded.' : ''}`,
    });
  }

  #publication({ name, title, description, channel, hasOwnId, fields = ANY }: Publishable): Reference {
    return this.#add(`${name}Publication`, {
      ...{ title, type: 'object', description, required: ['channel', ...fields.required] },
      properties: { channel, ...fields.properties, ...(hasOwnId && { id: ID }), ...OTHERS },
      ...{ additionalProperties: false, minProperties: 2 },
    });
  }

  /** The event has to be one of each of its channels. */
  #copies(events: readonly Publishable[]): Reference {
    const channels = new Map(events.map(({ channel }) => [channel.$ref, channel]));
    const fields = events.map((event) => event.fields);
    const hasOwnId = events.some((event) => event.hasOwnId);
    return this.#add('SsePublicationCopies', {
      ...{ title: 'several channels', type: 'object', required: ['channels'] },
      description: 'An event for several channels, which has to be right for each.',
      properties: {
        channels: {
          ...{ type: 'array', minItems: 1, maxItems: MOST_CHANNELS },
          items: { oneOf: [...channels.values()] },
        },
        ...ANY.properties,
        ...(hasOwnId && { id: ID }),
        ...OTHERS,
      },
      ...{ additionalProperties: false, minProperties: 2 },
      // Channels of two definitions may have events of one type.
      ...(!fields.includes(undefined) && { anyOf: fields.map((one) => ({ type: 'object', ...one })) }),
    });
  }

  #batch(one: Reference): Reference {
    return this.#add('SsePublicationBatch', {
      ...{ title: 'batch', type: 'object', required: ['events'] },
      description: 'Events for a channel each. None is published if one is invalid.',
      properties: { events: { type: 'array', minItems: 1, maxItems: MOST_EVENTS, items: one } },
      additionalProperties: false,
    });
  }

  #add(name: string, schema: JsonSchema): Reference {
    return this.schemas.add(name, (own) => ({ [own]: this.dialect(schema) }));
  }
}

const ANY: Fields = { properties: { type: ANY_TYPE, data: ANY_DATA }, required: [] };

function fieldsOf({ type, data, form }: ChannelEvent, isOptional: boolean): Fields {
  return {
    properties: {
      type: { type: 'string', const: type },
      data: form === 'none' ? { not: {} } : (data ?? ANY_DATA),
    },
    // An event without a type is a `message`.
    required: [...(type === 'message' ? [] : ['type']), ...(isOptional ? [] : ['data'])],
  };
}

/** Whether an event may come without data. JSON Schema has no word for that, so the schema itself is asked. */
function takesNothing(schema: StandardSchemaV1 | undefined): boolean {
  if (!schema) return true;
  try {
    const result = schema['~standard'].validate(undefined);
    if (!isThenable(result)) return !result.issues;
    void result.then(undefined, () => undefined);
    return true; // not known yet: the hub says it
  } catch {
    return true;
  }
}

/** The names that match a pattern: one, or those of a regular expression. */
function namesOf({ params, segments, text }: ChannelPattern): JsonSchema {
  if (params.length === 0) return { const: text };
  const parts = segments.map((segment) => (segment.startsWith(':') ? '[^/]+' : escaped(segment)));
  return { pattern: `^${parts.join('/')}$`, maxLength: MAX_CHANNEL_LENGTH };
}

function butNot(definitions: readonly ChannelRule[]): JsonSchema {
  if (definitions.length === 0) return {};
  return { not: { anyOf: definitions.map(({ pattern }) => namesOf(new ChannelPattern(pattern))) } };
}

const escaped = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
