import type { ChannelRule } from '../channels/channel-definition.js';
import type { DescribedApp } from './described-app.js';
import { componentName, type Components, type Reference } from './components.js';
import type { ChannelEvent, EventData } from './event-data.js';
import type { JsonSchema } from './json-schema.js';
import { PACKAGE_EVENTS, packageName, type PackageEventType } from './package-events.js';
import { packageEventsOf, type Streamed } from './streamed.js';

/*
 * An event stream in OpenAPI. An event is an object of its fields, and all fields are strings but `retry` (OAS 3.2.0, 4.14.4.2,
 * "Server-Sent Event Streams"). A page sees the same four.
 */

const ID: JsonSchema = { type: 'string', description: 'The position of the client after this event.' };
const RETRY: JsonSchema = {
  type: 'integer',
  minimum: 0,
  description: 'Milliseconds that the client waits before it reconnects.',
};

/** The content of responses that stream events. */
export class StreamContent {
  constructor(
    private readonly app: DescribedApp,
    private readonly schemas: Components,
    private readonly data: EventData,
    private readonly dialect: (schema: JsonSchema) => JsonSchema,
    /** Whether a document may say what the items of a stream are: since OpenAPI 3.2. */
    private readonly hasItems: boolean,
  ) {}

  /** The media type object of a stream. */
  of(streamed: Streamed): JsonSchema {
    const events = [
      ...streamed.definitions.flatMap((definition) => this.#eventsOf(definition)),
      ...(streamed.others === 'none' ? [] : [this.#anyEvent()]),
      ...packageEventsOf(this.app, streamed).map((type) => this.#packageEvent(type)),
    ];
    const items = { anyOf: [...new Map(events.map((event) => [event.$ref, event])).values()] };
    return {
      // As OAS 3.2.0 has it for sequential media types (4.14.4): `schema` is for all items, as a list. Older tools show it alone.
      schema: {
        type: 'array',
        items,
        description: 'The events of the stream, each as an object of its fields. They arrive one by one.',
      },
      ...(this.hasItems && { itemSchema: items }),
    };
  }

  #eventsOf(definition: ChannelRule): Reference[] {
    const events = this.data.of(definition, 'output');
    if (!events) return [this.#anyEvent()];
    return events.map((event) =>
      this.#component(
        componentName(definition.pattern, event.type, 'Event'),
        event.type,
        `An event "${event.type}" of the channels ${definition.pattern}.`,
        dataField(event),
      ),
    );
  }

  #packageEvent(type: PackageEventType): Reference {
    const { description } = PACKAGE_EVENTS[type];
    const name = componentName(packageName(type), 'Event');
    return this.#component(name, type, description, dataField(this.data.ofPackage(type)));
  }

  #component(name: string, type: string, description: string, data: JsonSchema): Reference {
    const schema = {
      title: type,
      type: 'object',
      description,
      // An event named `message` is what an event without a name is to a client.
      required: type === 'message' ? ['data'] : ['event', 'data'],
      properties: { id: ID, event: { type: 'string', const: type }, data, retry: RETRY },
    };
    return this.schemas.add(name, (own) => ({ [own]: this.dialect(schema) }));
  }

  /** An event of a channel of which nothing is known. */
  #anyEvent(): Reference {
    const schema = {
      title: 'any',
      type: 'object',
      description: 'An event of the application.',
      properties: {
        id: ID,
        event: { type: 'string', description: 'Its type; `message` where it has none.' },
        data: dataField({ type: '', data: undefined, form: 'any' }),
        retry: RETRY,
      },
    };
    return this.schemas.add('SseAnyEvent', (own) => ({ [own]: this.dialect(schema) }));
  }
}

/** The field `data` of an event. */
function dataField({ data, form }: ChannelEvent): JsonSchema {
  if (form === 'none') return { type: 'string', maxLength: 0, description: 'Empty.' };
  if (!data) return { type: 'string', description: 'A string as it is, or the JSON of any other data.' };
  const json = { type: 'string', contentMediaType: 'application/json', contentSchema: data };
  if (form === 'json') return json;
  return form === 'text'
    ? data
    : { anyOf: [data, json], description: 'A string as it is, anything else as JSON.' };
}
