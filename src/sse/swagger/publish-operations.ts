import { RETRY_AFTER } from '../http-publishing/answers.js';
import { MOST_EVENTS } from '../publishing/publish-many.js';
import type { Components, Reference } from './components.js';
import type { DescribedApp, Publisher } from './described-app.js';
import {
  addParameters,
  addResponses,
  jsonOf,
  say,
  setBody,
  type DescribedMethod,
  type Parameter,
} from './described-operation.js';
import type { Operation } from './documented-operations.js';
import type { JsonSchema } from './json-schema.js';
import type { Publications } from './publications.js';
import { NO_JSON, response, retryLater, type Responses } from './refusals.js';

const KEY: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'A text of 1 to 128 printable ASCII characters in double quotes, such as a UUID. A request that is sent again within two minutes, with the same key and the same body, publishes each event once.',
  schema: { type: 'string', minLength: 1, maxLength: 130 },
  example: '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
};

const PUBLISHED_ID: JsonSchema = {
  type: 'string',
  description: 'The id of the event; empty where its channel has none.',
};

const object = (properties: Readonly<Record<string, JsonSchema>>): JsonSchema => ({
  type: 'object',
  required: Object.keys(properties),
  properties,
});

const OUTCOME: JsonSchema = {
  oneOf: [
    object({ status: { type: 'integer', const: 201 }, id: PUBLISHED_ID }),
    object({
      status: { type: 'integer', minimum: 400, description: 'As if the event were published alone.' },
      error: { type: 'string', description: 'A code, such as `CHANNEL_COMPLETED`.' },
      message: { type: 'string', description: 'The reason, for people.' },
    }),
  ],
};

/** Describes the routes by which others publish. */
export class PublishOperations {
  readonly #ids = new Set<string>();

  constructor(
    private readonly app: DescribedApp,
    private readonly publications: Publications,
    private readonly schemas: Components,
    private readonly dialect: (schema: JsonSchema) => JsonSchema,
  ) {}

  /** The method of a controller. */
  of(publisher: Publisher): DescribedMethod {
    const { controller } = publisher;
    const { publish: method } = controller.prototype as { readonly publish: object };
    return { controller, method, describe: (operation) => this.#describe(operation, publisher, method) };
  }

  #describe(operation: Operation, publisher: Publisher, method: object): void {
    say(operation, 'Publish events', 'One event, one for several channels, or a batch.');
    this.#tellApart(operation);
    addParameters(operation, [KEY]);
    const body = this.publications.bodyOf(publisher);
    if (body) setBody(operation, jsonOf(this.dialect(body)));
    addResponses(operation, this.#responses(publisher, method));
  }

  /** The controllers of all routes have one name, and operations need ids of their own. */
  #tellApart(operation: Operation): void {
    const { operationId } = operation;
    if (operationId === undefined) return;
    let id = operationId;
    for (let count = 2; this.#ids.has(id); count++) id = `${operationId}_${count}`;
    this.#ids.add(id);
    operation.operationId = id;
  }

  #responses({ controller, channels }: Publisher, method: object): Responses {
    const isRestricted = channels !== 'all' || this.app.isGuarded(controller, method);
    const outcomes = this.#outcomes();
    const ids = object({
      ids: { type: 'array', items: PUBLISHED_ID, description: 'The ids, in the order of the channels.' },
    });
    const published = { oneOf: [object({ id: PUBLISHED_ID }), ids, outcomes] };
    const { maxEventBytes } = this.app.settings;
    return {
      201: { ...response('Published.'), content: jsonOf(this.dialect(published)) },
      207: {
        ...retryLater('Some events of a batch were not published.'),
        content: jsonOf(outcomes),
      },
      400: response(
        'The body, the name of a channel, an event, its data or the `Idempotency-Key` is invalid.',
      ),
      ...(isRestricted && {
        403: response('A guard refuses the request, or the channel may not be published to.'),
      }),
      409: response('The channel was completed.'),
      413: response(
        `An event has more than ${maxEventBytes} bytes, a batch more than ${MOST_EVENTS} events, or the body is too long.`,
      ),
      415: NO_JSON,
      422: response('The `Idempotency-Key` was used with another body.'),
      503: retryLater(
        `Not now: the events may have been published. Send the request again, with the same key, after ${RETRY_AFTER} seconds.`,
      ),
    };
  }

  #outcomes(): Reference {
    const list = { type: 'array', description: 'In the order of the events.', items: OUTCOME };
    return this.schemas.add('SseBatchOutcome', (own) => ({
      [own]: this.dialect(object({ outcomes: list })),
    }));
  }
}
