import {
  Inject,
  Logger,
  Module,
  type DynamicModule,
  type NestModule,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { MemoryBackplane } from './backplanes/memory/memory.backplane.js';
import { MemoryCluster } from './backplanes/memory/memory.cluster.js';
import { Admission } from './http/admission.js';
import { Drain } from './http/drain.js';
import { Heartbeat } from './http/heartbeat.js';
import { SseServer, type ServedRoute } from './http/sse-server.js';
import { SseInterceptor } from './http/sse.interceptor.js';
import { foundControllers } from './http/controllers.js';
import { foundHandlers } from './handlers/found-handlers.js';
import { methodsOf, providedIn } from './handlers/decorated-methods.js';
import { refuseUnlisted, unfoundMethods } from './handlers/in-force.js';
import { declaredChannels, featureChannels } from './channels/feature-channels.js';
import { Access } from './access/access.js';
import { SseBackplane } from './log/backplane.js';
import type { BackplaneFactory, OpenBackplane } from './backplanes/backplane-factory.js';
import { SseCluster } from './cluster/cluster.js';
import type { ChannelRule } from './channels/channel-definition.js';
import { ChannelDefinitions } from './channels/channel-definitions.js';
import { ChannelHandlers } from './handlers/channel-handlers.js';
import { ChannelWriter } from './publishing/channel-writer.js';
import { Snapshots } from './snapshots/channel-snapshots.js';
import { Channels } from './channels/channels.js';
import { Connections } from './http/connections.js';
import { Hooks } from './hooks/hooks.js';
import { Orders } from './cluster/orders.js';
import { ScatterGather } from './cluster/scatter-gather.js';
import { SubscriberCounts } from './cluster/subscriber-counts.js';
import { AllConnections } from './http/all-connections.js';
import { Revocations } from './access/revocations.js';
import { SourcePipes } from './pipes/source-pipes.js';
import { JoinableStreams } from './endpoint/joinable-streams.js';
import { Presence } from './presence/presence.js';
import { SHARED_HUB } from './publishing/shared-hub.js';
import { SseHub } from './sse-hub.js';
import { StreamObservers } from './http/stream-observer.js';
import { Prefaces } from './streams/preface.js';
import { Streams } from './streams/streams.js';
import { RunQueue } from './channels/run-queue.js';
import { COPY, processWide } from './package-copy.js';
import { SseError } from './sse.errors.js';
import {
  ASYNC_OPTIONS_TYPE,
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN,
  OPTIONS_TYPE,
  type SseModuleOptions,
} from './sse.module-definition.js';
import type { SseLimits } from './sse.options.js';
import { moduleSettings, SSE_SETTINGS, type SseSettings } from './sse.settings.js';

/** Injection token of what is defined, for `SseModule.forFeature()` of another copy of this package, too. */
const SHARED_DEFINITIONS = Symbol.for('nestjs-sse-hub:ChannelDefinitions');

/** Injection token of the options, of a module that has some. */
const SSE_OPTIONS = Symbol('SSE_OPTIONS');

/** Injection token of what the backplane's factory has opened. */
const OPEN_BACKPLANE = Symbol('OPEN_BACKPLANE');

const memoryBackplane: BackplaneFactory = (limits) => ({ backplane: new MemoryBackplane(limits) });

async function openBackplane(open: BackplaneFactory, limits: Required<SseLimits>): Promise<OpenBackplane> {
  try {
    const { backplane, cluster = new MemoryCluster() } = await open(limits);
    return { backplane, cluster };
  } catch (error) {
    throw error instanceof SseError ? inOneLine(error) : error;
  }
}

/**
 * Nest prints what keeps an application from starting, with its stack, its causes and its properties. This
 * says what is wrong with the configuration, and there the fault is not in the code.
 */
function inOneLine({ code, message }: SseError): SseError {
  const error = new SseError(code, message);
  Object.defineProperty(error, 'code', { enumerable: false });
  error.stack = `${error.name}: ${message}`;
  return error;
}

const providers: Provider[] = [
  RunQueue,
  ChannelHandlers,
  Connections,
  StreamObservers,
  JoinableStreams,
  Heartbeat,
  Admission,
  Drain,
  SseServer,
  SseInterceptor,
  {
    provide: SSE_OPTIONS,
    inject: [{ token: MODULE_OPTIONS_TOKEN, optional: true }],
    useFactory: (options: SseModuleOptions | undefined) => {
      if (options) return options;
      throw new SseError(
        'INVALID_OPTIONS',
        'Import SseModule.forRoot() in the root module, and SseModule.forFeature() elsewhere; never SseModule itself.',
      );
    },
  },
  {
    provide: SSE_SETTINGS,
    inject: [SSE_OPTIONS],
    useFactory: (options: SseModuleOptions) => {
      // By now the controllers are there, or not.
      if ('endpoint' in options)
        throw new SseError('INVALID_OPTIONS', 'Give "endpoint" to forRootAsync() itself, beside useFactory.');
      return moduleSettings(options);
    },
  },
  {
    provide: ChannelDefinitions,
    inject: [SSE_SETTINGS, ModulesContainer],
    useFactory: (settings: SseSettings, modules: ModulesContainer) =>
      new ChannelDefinitions(settings, declaredChannels(modules)),
  },
  {
    provide: Access,
    inject: [SSE_SETTINGS, ChannelHandlers, SSE_OPTIONS],
    useFactory: (settings: SseSettings, handlers: ChannelHandlers, { identify }: SseModuleOptions) =>
      new Access(settings, handlers, identify),
  },
  {
    provide: OPEN_BACKPLANE,
    inject: [SSE_SETTINGS, SSE_OPTIONS],
    useFactory: ({ limits }: SseSettings, { backplane = memoryBackplane }: SseModuleOptions) =>
      openBackplane(backplane, limits),
  },
  {
    provide: SseBackplane,
    inject: [OPEN_BACKPLANE],
    useFactory: ({ backplane }: Required<OpenBackplane>) => backplane,
  },
  {
    provide: SseCluster,
    inject: [OPEN_BACKPLANE],
    useFactory: ({ cluster }: Required<OpenBackplane>) => cluster,
  },
  {
    provide: Channels,
    inject: [SseBackplane, ChannelDefinitions, RunQueue],
    useFactory: (...parts: ConstructorParameters<typeof Channels>) => new Channels(...parts),
  },
  {
    provide: Prefaces,
    inject: [ChannelHandlers, SSE_SETTINGS],
    useFactory: (...parts: ConstructorParameters<typeof Snapshots>) => new Snapshots(...parts),
  },
  {
    provide: Streams,
    inject: [Channels, Prefaces, SSE_SETTINGS],
    useFactory: (channels: Channels, prefaces: Prefaces, { limits }: SseSettings) =>
      new Streams(channels, prefaces, limits.channelsPerConnection),
  },
  {
    provide: Hooks,
    inject: [ChannelHandlers, Channels, StreamObservers],
    useFactory: (...parts: ConstructorParameters<typeof Hooks>) => new Hooks(...parts),
  },
  {
    provide: ScatterGather,
    inject: [SseCluster],
    useFactory: (cluster: SseCluster) => new ScatterGather(cluster),
  },
  {
    provide: Orders,
    inject: [SseCluster],
    useFactory: (cluster: SseCluster) => new Orders(cluster),
  },
  {
    provide: SubscriberCounts,
    inject: [Channels, ScatterGather],
    useFactory: (...parts: ConstructorParameters<typeof SubscriberCounts>) => new SubscriberCounts(...parts),
  },
  {
    provide: AllConnections,
    inject: [SseCluster, Connections, ScatterGather, Orders, SSE_SETTINGS],
    useFactory: (...parts: ConstructorParameters<typeof AllConnections>) => new AllConnections(...parts),
  },
  {
    provide: Revocations,
    inject: [Connections, Orders],
    useFactory: (...parts: ConstructorParameters<typeof Revocations>) => new Revocations(...parts),
  },
  {
    provide: ChannelWriter,
    inject: [SSE_SETTINGS, ChannelDefinitions, SseBackplane],
    useFactory: (settings: SseSettings, definitions: ChannelDefinitions, backplane: SseBackplane) =>
      new ChannelWriter(definitions, backplane, settings.maxEventBytes),
  },
  {
    provide: SourcePipes,
    inject: [ChannelWriter, SubscriberCounts, SseCluster, SSE_SETTINGS],
    useFactory: (
      writer: ChannelWriter,
      subscribers: SubscriberCounts,
      cluster: SseCluster,
      { shutdown }: SseSettings,
    ) => new SourcePipes(writer, subscribers, cluster, shutdown.grace),
  },
  {
    provide: Presence,
    inject: [SSE_SETTINGS, ChannelDefinitions, SseBackplane, SseCluster, StreamObservers],
    useFactory: (...parts: ConstructorParameters<typeof Presence>) => new Presence(...parts),
  },
  {
    provide: SseHub,
    inject: [
      SSE_SETTINGS,
      ChannelDefinitions,
      SseBackplane,
      ChannelWriter,
      SourcePipes,
      Channels,
      Connections,
      SubscriberCounts,
      AllConnections,
      Revocations,
      Streams,
      Presence,
    ],
    useFactory: (...parts: ConstructorParameters<typeof SseHub>) => new SseHub(...parts),
  },
  { provide: SHARED_HUB, useExisting: SseHub },
  { provide: SHARED_DEFINITIONS, useExisting: ChannelDefinitions },
];

/**
 * Server-Sent Events: `SseHub` to inject, and `@Sse()` routes that stream what is published with it.
 *
 * Import `SseModule.forRoot()` once, in the root module.
 */
@Module({ providers, exports: [SseHub, SHARED_HUB, SseCluster] })
export class SseModule
  extends ConfigurableModuleClass
  implements NestModule, OnModuleInit, OnApplicationShutdown
{
  constructor(
    private readonly config: ApplicationConfig,
    private readonly modules: ModulesContainer,
    private readonly server: SseServer,
    private readonly interceptor: SseInterceptor,
    private readonly channels: Channels,
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly definitions: ChannelDefinitions,
    private readonly handlers: ChannelHandlers,
    private readonly hooks: Hooks,
    private readonly presence: Presence,
    @Inject(SseBackplane) private readonly backplane: SseBackplane,
    @Inject(SseCluster) private readonly cluster: SseCluster,
  ) {
    super();
  }

  /** @throws SseError `INVALID_OPTIONS` */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    moduleSettings(options); // so that what is wrong is found where it is written
    return super.forRoot(options);
  }

  static override forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return super.forRootAsync(options);
  }

  /**
   * Declares the channels of a feature. Of those that match a name, the first one declared holds.
   *
   * @throws SseError `DUPLICATE_DEFINITION` at start-up, if two definitions are of the same channels
   */
  static forFeature(definitions: readonly ChannelRule[]): DynamicModule {
    return {
      module: SseFeatureModule,
      providers: [featureChannels(definitions)],
    };
  }

  configure(): void {
    const { config } = this;
    this.#refuseSecond();
    const interceptors = config.getGlobalInterceptors();
    const others = interceptors.filter((interceptor) => interceptor !== this.interceptor);
    const ofRequests = config.getGlobalRequestInterceptors().map(({ metatype }) => metatype as object);
    this.server.interceptors = [...others, ...ofRequests];
    // Before the app's own, whose results are what is sent. Where nothing needs it, no request pays for it.
    if (this.#needsInterceptor() && others.length === interceptors.length)
      interceptors.unshift(this.interceptor);
  }

  #needsInterceptor(): boolean {
    return this.#routes().some((route) => this.server.intercepts(route));
  }

  #routes(): ServedRoute[] {
    return foundControllers(this.modules).flatMap(({ controller, methods }) =>
      methods.flatMap((method) => this.server.routeOf(controller, method) ?? []),
    );
  }

  /** What such a route streams belongs to no response of ours, so nobody can be asked whether it may. */
  #warnOfUnguarded(): void {
    if (this.settings.stockRoutes !== 'leave' || !this.handlers.has('authorize')) return;
    const left = this.#routes().filter(({ isStock }) => isStock);
    if (left.length === 0) return;
    const names = left.map(({ name }) => name).join(', ');
    new Logger('SseModule').warn(
      `Routes with Nest's own @Sse() are left to Nest, and no method with @AuthorizeChannel() is asked about what they stream: ${names}. Give those that stream channels the @Sse() of this package, or say "stockRoutes: 'serve'".`,
    );
  }

  /** @throws SseError `INVALID_HANDLER`, `DUPLICATE_DEFINITION` */
  onModuleInit(): void {
    const provided = providedIn(this.modules);
    const unfound = unfoundMethods(provided);
    if (unfound !== undefined) this.#refuseOrWarn(unfound);
    const methods = methodsOf(provided);
    refuseUnlisted(methods, this.definitions);
    this.handlers.add(foundHandlers(methods));
    this.#warnOfUnguarded();
    this.hooks.start();
  }

  async onApplicationShutdown(): Promise<void> {
    this.channels.close();
    this.presence.close();
    await this.cluster.close();
    await this.backplane.close();
  }

  /** An application has one hub, also where several copies of this package are installed. */
  #refuseSecond(): void {
    const { module, copy } = processWide.imported.get(this.config) ?? { module: this, copy: COPY };
    processWide.imported.set(this.config, { module, copy });
    if (module === this) return;
    const copies = copy === COPY ? '' : `, of the copies of this package in ${copy.path} and ${COPY.path}`;
    throw new SseError(
      'INVALID_OPTIONS',
      `SseModule.forRoot() is imported twice${copies}. Import it once, in the root module.`,
    );
  }

  #refuseOrWarn(message: string): void {
    if (this.settings.strictHandlers) throw new SseError('INVALID_HANDLER', message);
    new Logger('SseModule').warn(message);
  }
}

/** Carries what `SseModule.forFeature()` declares. */
@Module({})
class SseFeatureModule implements OnModuleInit {
  constructor(private readonly modules: ModulesContainer) {}

  /** What was there at the start-up is known already; a module may be loaded lazily. */
  onModuleInit(): void {
    const hubs = [...this.modules.values()].map(
      (module) => module.providers.get(SHARED_DEFINITIONS)?.instance,
    ) as (ChannelDefinitions | undefined)[];
    for (const definitions of hubs) definitions?.add(declaredChannels(this.modules));
  }
}
