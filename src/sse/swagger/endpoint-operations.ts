import type { Type } from '@nestjs/common';
import type { DescribedApp } from './described-app.js';
import {
  addParameters,
  addResponses,
  jsonOf,
  say,
  setBody,
  type DescribedMethod,
} from './described-operation.js';
import type { Operation, Route } from './documented-operations.js';
import type { JsonSchema } from './json-schema.js';
import { NO_JSON, refusalsOf, response, retryLater, type Responses } from './refusals.js';
import type { StreamContent } from './stream-content.js';
import { POSITION, streamResponse } from './stream-operation.js';
import type { Streamed } from './streamed.js';

const CHANNEL: JsonSchema = { type: 'string', description: 'The name of a channel.' };

const CHANNELS = {
  name: 'channel',
  in: 'query',
  required: false,
  description: 'The names of channels, each with a parameter of its own: `?channel=a&channel=b`.',
  schema: { type: 'array', items: CHANNEL },
  style: 'form',
  explode: true,
};

/** The position of a client in each of its channels. */
const POSITIONS: JsonSchema = {
  type: 'object',
  required: ['channels'],
  properties: {
    channels: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description:
        'The position in each channel, by its name; empty for a channel in which the client has none.',
    },
  },
  additionalProperties: false,
};

const CHANGE: JsonSchema = {
  type: 'object',
  properties: {
    join: {
      type: 'array',
      description: 'Channels to join, each perhaps with the position to continue after.',
      items: {
        anyOf: [
          CHANNEL,
          {
            type: 'object',
            required: ['channel'],
            properties: { channel: CHANNEL, lastEventId: { type: 'string' } },
            additionalProperties: false,
          },
        ],
      },
    },
    leave: { type: 'array', items: CHANNEL, description: 'Channels to leave.' },
  },
  additionalProperties: false,
};

const names = (description: string): JsonSchema => ({
  type: 'array',
  items: { type: 'string' },
  description,
});

const OUTCOME: JsonSchema = {
  type: 'object',
  required: ['joined', 'positions', 'denied', 'left', 'channels'],
  properties: {
    joined: names('The channels to be joined that are streamed now.'),
    positions: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'The positions from which they are streamed, by the names of the channels.',
    },
    denied: names('The channels to be joined that the client may not have.'),
    left: names('The channels to be left that were streamed.'),
    channels: names('All channels that are streamed now.'),
  },
};

/** Describes the operations of the ready endpoint. */
export class EndpointOperations {
  readonly #streamed: Streamed;

  constructor(
    private readonly app: DescribedApp,
    private readonly content: StreamContent,
    private readonly dialect: (schema: JsonSchema) => JsonSchema,
  ) {
    this.#streamed = app.streamedByEndpoint;
  }

  /** The methods of a controller of the endpoint. */
  of(controller: Type): DescribedMethod[] {
    const { prototype } = controller as { readonly prototype: Readonly<Record<string, object>> };
    const described = (
      key: string,
      describe: (operation: Operation, route: Route) => void,
    ): DescribedMethod => {
      const route = { controller, method: prototype[key] as object };
      return { ...route, describe: (operation) => describe(operation, route) };
    };
    return [
      described('stream', (operation, route) => this.#stream(operation, route)),
      described('streamFrom', (operation, route) => this.#streamFrom(operation, route)),
      described('change', (operation, route) => this.#change(operation, route)),
    ];
  }

  #stream(operation: Operation, route: Route): void {
    say(operation, 'Stream channels', 'Each channel that the client names has to be granted to it.');
    addParameters(operation, [CHANNELS, ...POSITION]);
    addResponses(operation, this.#streamResponses(route));
  }

  #streamFrom(operation: Operation, route: Route): void {
    const of =
      'For clients that keep a position for each channel. No limit of the length of a header applies.';
    say(operation, 'Stream channels from positions', of);
    addParameters(operation, [CHANNELS]);
    setBody(operation, this.#json(POSITIONS));
    addResponses(operation, {
      ...this.#streamResponses(route),
      413: response('The body is longer than 64 kB.'),
      415: NO_JSON,
    });
  }

  #change(operation: Operation, { controller, method }: Route): void {
    const of = 'The stream is open. Its id is in its first event, of the type `connection`.';
    say(operation, 'Join and leave channels', of);
    setBody(operation, this.#json(CHANGE));
    addResponses(operation, {
      200: { description: 'What has changed.', content: this.#json(OUTCOME) },
      400: response('The body has another form, a channel cannot be streamed, or there are too many.'),
      ...(this.app.knowsUsers && {
        401: response('The identity of the client is not accepted, or has expired.'),
      }),
      ...(this.app.isGuarded(controller, method) && { 403: response('A guard refuses the client.') }),
      404: response('There is no such stream, or it belongs to another user.'),
      415: NO_JSON,
      429: retryLater('The client joins too many channels at a time.'),
      503: response(
        'A channel, or the stream, cannot be reached now. A part of the channels may have changed.',
      ),
    });
  }

  #streamResponses(route: Route): Responses {
    return {
      200: streamResponse(this.#streamed, this.content),
      400: response('A channel cannot be streamed, or there are too many.'),
      ...refusalsOf(this.app, route, this.#streamed),
      // The endpoint denies channels about which nobody can be asked.
      403: response('A guard refuses the client, or it may have none of the channels.'),
    };
  }

  #json(schema: JsonSchema): JsonSchema {
    return jsonOf(this.dialect(schema));
  }
}
