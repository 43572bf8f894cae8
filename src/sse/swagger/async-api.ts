import type { INestApplication } from '@nestjs/common';
import type { ChannelRule } from '../channels/channel-definition.js';
import { checkObject } from '../validate.js';
import { AsyncApiChannels, streamOperations } from './async-api-channels.js';
import { Components } from './components.js';
import { DescribedApp } from './described-app.js';
import { EventData } from './event-data.js';

/** What the document says of the application. */
export interface AsyncApiInfo {
  readonly title: string;
  readonly version: string;
  readonly description?: string;
}

/** Options of `asyncApiDocument()`. */
export interface AsyncApiOptions {
  readonly info: AsyncApiInfo;
  /** Servers by a name, such as `{ production: { host: 'api.example.com', protocol: 'https' } }`. @defaultValue none */
  readonly servers?: Readonly<Record<string, { readonly host: string; readonly protocol: string }>>;
  /** The definitions to describe. @defaultValue all that `SseModule.forFeature()` lists */
  readonly channels?: readonly ChannelRule[];
}

/** A document of AsyncAPI 3.0. */
export interface AsyncApiDocument {
  readonly asyncapi: '3.0.0';
  readonly info: AsyncApiInfo;
  readonly servers?: AsyncApiOptions['servers'];
  readonly defaultContentType: 'application/json';
  readonly channels: Readonly<Record<string, object>>;
  readonly operations: Readonly<Record<string, object>>;
  readonly components: Readonly<Record<'messages' | 'schemas', Readonly<Record<string, object>>>>;
}

/**
 * Describes the channels of an application as an AsyncAPI document: a channel for each definition, a message for each type of its
 * events, and the operation by which the application sends them. Schemas are those of `addSse()`.
 *
 * @throws SseError `MODULE_MISSING`, `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * const document = asyncApiDocument(app, { info: { title: 'Orders', version: '1' } });
 * ```
 */
export function asyncApiDocument(app: INestApplication, options: AsyncApiOptions): AsyncApiDocument {
  checkObject(options, ['info', 'servers', 'channels'], 'asyncApiDocument()');
  const { info, servers, channels } = options;
  const described = new DescribedApp(app);
  const definitions = channels ?? [...described.definitions.keys()];
  described.refuseUnlisted(definitions, 'The option "channels" of asyncApiDocument()');
  const components = { messages: {}, schemas: {} };
  const data = new EventData(
    described,
    new Components('#/components/schemas', components.schemas),
    'draft-07',
  );
  const messages = new Components('#/components/messages', components.messages);
  const all = new AsyncApiChannels(described, streamOperations(app, described), data, messages);
  for (const definition of definitions) all.add(definition);
  data.report();
  return {
    asyncapi: '3.0.0',
    info,
    ...(servers && { servers }),
    defaultContentType: 'application/json',
    channels: all.channels,
    operations: all.operations,
    components,
  };
}
