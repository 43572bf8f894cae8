import type { INestApplicationContext, Type } from '@nestjs/common';
import { ApplicationConfig, MetadataScanner, ModulesContainer } from '@nestjs/core';
import type { ChannelRule } from '../channels/channel-definition.js';
import { ChannelDefinitions, type ChannelRules } from '../channels/channel-definitions.js';
import { ChannelPattern } from '../channels/channel-pattern.js';
import type { HandlerKind } from '../handlers/channel-handlers.js';
import { HandlerDiscovery } from '../handlers/handler-discovery.js';
import { Identification } from '../http/identity.js';
import { SseRouteGuard } from '../http/sse.decorator.js';
import type { ServedRoute } from '../http/sse-server.js';
import { HttpPublishing } from '../http-publishing/http-publishing.js';
import { SseError } from '../sse.errors.js';
import { StreamRoutes } from '../sse.routes.js';
import { SSE_SETTINGS, type ChannelSettings, type SseSettings } from '../sse.settings.js';
import { streamedBy } from './api-sse.decorator.js';
import type { Streamed } from './streamed.js';

/** Nest's key for the guards of a method, or of a class. */
const GUARDS = '__guards__';

/** A controller by which others publish, and the definitions whose channels they may publish to. */
export interface Publisher {
  readonly controller: Type;
  readonly channels: readonly ChannelRule[] | 'all';
}

/** An application, as its documents describe it. All of it is known when the application was created, before it has started. */
export class DescribedApp {
  readonly settings: SseSettings;
  /** In the order in which they apply. */
  readonly definitions: ReadonlyMap<ChannelRule, ChannelRules>;
  /** Routes that this package serves. */
  readonly routes: readonly ServedRoute[];
  /** Methods with `@ApiSse()` that are none of these. */
  readonly withoutRoute: readonly Pick<ServedRoute, 'name' | 'method'>[];
  /** Controllers of `SsePublishModule`. */
  readonly publishers: readonly Publisher[];
  /** Whether its clients may have a user. */
  readonly knowsUsers: boolean;
  readonly #config: ApplicationConfig;
  readonly #authorised: readonly ChannelPattern[];
  readonly #snapshots: readonly ChannelPattern[];

  /** @throws SseError `MODULE_MISSING` */
  constructor(app: INestApplicationContext) {
    const part = partsOf(app);
    const discovery = part(HandlerDiscovery);
    const patterns = (kind: HandlerKind): ChannelPattern[] => discovery.patterns(kind);
    this.settings = part<SseSettings>(SSE_SETTINGS);
    this.definitions = part(ChannelDefinitions).all;
    const { stockRoutes } = this.settings;
    this.routes = part(StreamRoutes)
      .all()
      .filter(({ isStock }) => !isStock || stockRoutes === 'serve');
    this.withoutRoute = withoutRoute(part(ModulesContainer), this.routes);
    this.publishers = publishersIn(part(ModulesContainer));
    this.knowsUsers = part(Identification).knowsUsers;
    this.#config = part(ApplicationConfig);
    this.#authorised = patterns('authorize');
    this.#snapshots = patterns('snapshot');
  }

  /**
   * What a route streams, as `@ApiSse()` says it.
   *
   * @throws SseError `INVALID_OPTIONS` for a definition that is not in force
   */
  streamedBy({ method, name, settings }: ServedRoute): Streamed {
    const by = settings.plain ? 'plain route' : 'route';
    const definitions = streamedBy(method);
    if (!definitions) return { definitions: [], others: 'channels', by };
    this.refuseUnlisted(definitions, `@ApiSse() of ${name}`);
    return { definitions, others: definitions.length === 0 ? 'events' : 'none', by };
  }

  /**
   * @param where the place of the definitions, which begins the message
   * @throws SseError `INVALID_OPTIONS` for a definition that is not in force
   */
  refuseUnlisted(definitions: readonly ChannelRule[], where: string): void {
    const unlisted = definitions.find((definition) => !this.definitions.has(definition));
    if (!unlisted) return;
    throw new SseError(
      'INVALID_OPTIONS',
      `${where} names the definition of "${unlisted.pattern}", which is not in force. List it in SseModule.forFeature([…]).`,
    );
  }

  /** What the ready endpoint streams: only channels about which a method can be asked. */
  get streamedByEndpoint(): Streamed {
    const definitions = [...this.definitions.keys()].filter((definition) => this.isAuthorised(definition));
    const isKnown = (pattern: ChannelPattern): boolean => definitions.some((one) => covers([pattern], one));
    const hasOthers = !this.settings.strictChannels && !this.#authorised.every(isKnown);
    return { definitions, others: hasOthers ? 'channels' : 'none', by: 'endpoint' };
  }

  /** Whether methods with `@AuthorizeChannel()` are asked about some of the channels, or about any if the definition is not known. */
  isAuthorised(definition?: ChannelRule): boolean {
    return definition ? covers(this.#authorised, definition) : this.#authorised.length > 0;
  }

  /** Whether a client may be denied some of the channels. */
  isRestricted(definition?: ChannelRule): boolean {
    return this.settings.unguarded === 'deny' || this.isAuthorised(definition);
  }

  hasSnapshots(definition?: ChannelRule): boolean {
    return definition ? covers(this.#snapshots, definition) : this.#snapshots.length > 0;
  }

  hasHistory(definition?: ChannelRule): boolean {
    return this.#settingsOf(definition).history !== undefined;
  }

  /** Whether the channels carry `join` and `leave` events of their members. */
  announcesMembers(definition?: ChannelRule): boolean {
    return this.#settingsOf(definition).presence?.events === true;
  }

  #settingsOf(definition: ChannelRule | undefined): ChannelSettings {
    return (definition && this.definitions.get(definition)?.settings) ?? this.settings.channel;
  }

  /** Whether guards are asked before a method runs. */
  isGuarded(controller: object, method: object): boolean {
    const ofRoute = [controller, method].flatMap(
      (target) => (Reflect.getMetadata(GUARDS, target) ?? []) as readonly unknown[],
    );
    const ofApp = [...this.#config.getGlobalGuards(), ...this.#config.getGlobalRequestGuards()];
    return ofApp.length > 0 || ofRoute.some((guard) => guard !== SseRouteGuard);
  }
}

type Token<T> = symbol | (abstract new (...args: never[]) => T);

/** @returns a function that gives the parts of the application by their tokens */
const partsOf =
  (app: INestApplicationContext) =>
  <T>(token: Token<T>): T => {
    try {
      return app.get<T>(token, { strict: false });
    } catch (cause) {
      throw new SseError(
        'MODULE_MISSING',
        'The application has no streams to describe: it needs SseModule.forRoot() among its imports.',
        { cause },
      );
    }
  };

/** Methods of controllers that say what they stream, and are no routes that stream. */
function withoutRoute(
  modules: ModulesContainer,
  routes: readonly ServedRoute[],
): Pick<ServedRoute, 'name' | 'method'>[] {
  const scanner = new MetadataScanner();
  const served = new Set(routes.map(({ name }) => name));
  const controllers = [...modules.values()].flatMap((module) => [...module.controllers.values()]);
  return controllers
    .flatMap(({ metatype }) => {
      const { name } = metatype as Type;
      const prototype = (metatype as Type).prototype as Readonly<Record<string, object>>;
      return scanner
        .getAllMethodNames(prototype)
        .map((key) => ({ name: `${name}.${key}()`, method: prototype[key] as object }));
    })
    .filter(({ name, method }) => streamedBy(method) !== undefined && !served.has(name));
}

/** Each module of publishing has one controller, and the rules for it. */
const publishersIn = (modules: ModulesContainer): Publisher[] =>
  [...modules.values()].flatMap(({ controllers, providers }) => {
    const publishing = providers.get(HttpPublishing)?.instance as HttpPublishing | undefined;
    if (!publishing) return [];
    const { channels } = publishing;
    return Array.from(controllers.values(), ({ metatype }) => ({ controller: metatype as Type, channels }));
  });

const covers = (patterns: readonly ChannelPattern[], { pattern }: ChannelRule): boolean => {
  const own = new ChannelPattern(pattern);
  return patterns.some((other) => own.overlaps(other));
};
