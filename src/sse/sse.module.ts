import {
  Inject,
  Module,
  type DynamicModule,
  type NestModule,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import type { ChannelRule } from './channels/channel-definition.js';
import type { ChannelDefinitions } from './channels/channel-definitions.js';
import { declaredChannels, featureChannels } from './channels/feature-channels.js';
import { SseCluster } from './cluster/cluster.js';
import { HandlerDiscovery } from './handlers/handler-discovery.js';
import { Hooks } from './hooks/hooks.js';
import { COPY, locate, processWide } from './package-copy.js';
import { SHARED_HUB } from './publishing/publish.decorator.js';
import { SseError } from './sse.errors.js';
import { SseHub } from './sse-hub.js';
import { ConfigurableModuleClass, OPTIONS_TYPE } from './sse.module-definition.js';
import { providers, SHARED_DEFINITIONS } from './sse.providers.js';
import { StreamRoutes } from './sse.routes.js';
import { moduleSettings, SSE_SETTINGS, type SseSettings } from './sse.settings.js';
import { Shutdown } from './sse.shutdown.js';

// A bundle of CommonJS has no URL.
locate(import.meta.url ?? 'a bundle');

/**
 * Server-Sent Events: `SseHub` to inject, and `@Sse()` routes that stream what is published with it.
 *
 * Import `SseModule.forRoot()` once, in the root module, and `SseModule.forFeature()` where channels are defined.
 *
 * The parts are wired in sse.providers.ts. This class is the order of the start (`configure`, then `onModuleInit`) and the
 * last step of the end.
 */
@Module({ providers, exports: [SseHub, SHARED_HUB, SseCluster] })
export class SseModule
  extends ConfigurableModuleClass
  implements NestModule, OnModuleInit, OnApplicationShutdown
{
  constructor(
    private readonly config: ApplicationConfig,
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly routes: StreamRoutes,
    private readonly discovery: HandlerDiscovery,
    private readonly hooks: Hooks,
    private readonly shutdown: Shutdown,
  ) {
    super();
  }

  /** @throws SseError `INVALID_OPTIONS` */
  static override forRoot(options: typeof OPTIONS_TYPE = {}): DynamicModule {
    moduleSettings(options); // a wrong option is reported with the stack of this call
    return super.forRoot(options);
  }

  /**
   * Declares the channels of a feature. If several definitions match a name, the first one listed applies.
   *
   * @throws SseError `DUPLICATE_DEFINITION` at start-up, if two definitions are of the same channels
   */
  static forFeature(definitions: readonly ChannelRule[]): DynamicModule {
    return { module: SseFeatureModule, providers: [featureChannels(definitions)] };
  }

  configure(): void {
    this.#refuseSecond();
    this.routes.intercept();
  }

  /** @throws SseError `INVALID_HANDLER`, `DUPLICATE_DEFINITION` */
  onModuleInit(): void {
    const handlers = this.discovery.find();
    if (this.settings.stockRoutes === 'leave' && handlers.has('authorize')) this.routes.warnOfUnguarded();
    this.hooks.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.shutdown.run();
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
}

/** Carries the definitions that `SseModule.forFeature()` declares. */
@Module({})
class SseFeatureModule implements OnModuleInit {
  constructor(private readonly modules: ModulesContainer) {}

  /** Only modules that are loaded lazily need it: the definitions of the others are known since the start. */
  onModuleInit(): void {
    for (const module of this.modules.values()) {
      const hub = module.providers.get(SHARED_DEFINITIONS)?.instance as ChannelDefinitions | undefined;
      hub?.add(declaredChannels(this.modules));
    }
  }
}
