import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { ChannelRule } from '../channels/channel-definition.js';
import { ChannelPattern } from '../channels/channel-pattern.js';
import { isEndpoint } from '../endpoint/endpoint.controller.js';
import { componentName, Components, type Reference } from './components.js';
import type { DescribedApp } from './described-app.js';
import { documentedOperations } from './documented-operations.js';
import type { ChannelEvent, EventData } from './event-data.js';
import { isSchema, type JsonSchema } from './json-schema.js';
import { PACKAGE_EVENTS, packageName, type PackageEventType } from './package-events.js';
import { packageEventsOf, type Streamed } from './streamed.js';

/** An operation of the application's OpenAPI document that streams events. */
export interface StreamOperation {
  readonly verb: string;
  readonly path: string;
  readonly streamed: Streamed;
}

/** The operations of an application that stream events. */
export function streamOperations(app: INestApplication, described: DescribedApp): StreamOperation[] {
  const document = SwaggerModule.createDocument(app, new DocumentBuilder().build());
  return documentedOperations(document, app, described.routes).map(({ verb, path, of }) => ({
    verb,
    path,
    streamed: isEndpoint(of.controller) ? described.streamedByEndpoint : described.streamedBy(of),
  }));
}

type Messages = Readonly<Record<string, Reference>>;

/** The channels and the operations of an AsyncAPI document: one of each for a definition. */
export class AsyncApiChannels {
  readonly channels: Record<string, object> = {};
  readonly operations: Record<string, object> = {};
  readonly #channels = new Components('#/channels', this.channels);

  constructor(
    private readonly app: DescribedApp,
    private readonly streams: readonly StreamOperation[],
    private readonly data: EventData,
    private readonly messages: Components,
  ) {}

  add(definition: ChannelRule): void {
    const streams = this.streams.filter(({ streamed }) => streamed.definitions.includes(definition));
    const messages = this.#messagesOf(definition, streams);
    const name = componentName(definition.pattern);
    const channel = this.#channels.add(name, (id) => ({
      [id]: channelObject(definition, streams, messages),
    }));
    const sent = Object.keys(messages).map((type) => ({
      $ref: `${channel.$ref}/messages/${pointerEncoded(type)}`,
    }));
    this.operations[channel.$ref.replace('#/channels/', 'send')] = {
      action: 'send',
      channel,
      messages: sent,
    };
  }

  /** The messages of a channel by their types. */
  #messagesOf(definition: ChannelRule, streams: readonly StreamOperation[]): Messages {
    const { pattern } = definition;
    const events = this.data.of(definition, 'output') ?? [
      { type: 'any', data: undefined, form: 'any' as const },
    ];
    const ofApp = events.map((event) => [
      event.type,
      this.#message(componentName(pattern, event.type), event),
    ]);
    const ofPackage = this.#packageTypes(definition, streams).map((type) => {
      const { description } = PACKAGE_EVENTS[type];
      const event = this.data.ofPackage(type);
      return [type, this.#message(componentName(packageName(type)), event, { description })];
    });
    return Object.fromEntries([...ofApp, ...ofPackage]) as Messages;
  }

  /** The events of this package that are about a channel, and not about the whole stream. */
  #packageTypes(definition: ChannelRule, streams: readonly StreamOperation[]): PackageEventType[] {
    const by = streams.some(({ streamed }) => streamed.by === 'endpoint') ? 'endpoint' : 'route';
    const types = packageEventsOf(this.app, { definitions: [definition], others: 'none', by });
    return types.filter((type) => {
      const { properties } = PACKAGE_EVENTS[type].data;
      return isSchema(properties) && 'channel' in properties;
    });
  }

  #message(name: string, { type, data, form }: ChannelEvent, more: JsonSchema = {}): Reference {
    const message = {
      name: type,
      ...more,
      ...(form === 'text' && { contentType: 'text/plain' }),
      ...(form !== 'none' && { payload: data ?? {} }),
    };
    return this.messages.add(name, (own) => ({ [own]: message }));
  }
}

function channelObject(
  { pattern }: ChannelRule,
  streams: readonly StreamOperation[],
  messages: Messages,
): JsonSchema {
  const { params } = new ChannelPattern(pattern);
  const places = streams.map(({ verb, path }) => `\`${verb.toUpperCase()} ${path}\``);
  const parameter = { description: 'A segment of the name, percent-encoded.' };
  return {
    address: pattern.replaceAll(/(?<=^|\/):(\w+)/g, '{$1}'),
    ...(places.length > 0 && { description: `Streamed by ${places.join(', ')}.` }),
    ...(params.length > 0 && { parameters: Object.fromEntries(params.map((param) => [param, parameter])) }),
    messages,
  };
}

/** A segment of a JSON pointer in a URI fragment (RFC 6901, 6). */
const pointerEncoded = (segment: string): string =>
  encodeURIComponent(segment.replaceAll('~', '~0').replaceAll('/', '~1'));
