import type { InjectionToken, Provider } from '@nestjs/common';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { Access } from './access/access.js';
import { openBackplane, type BackplaneFactory, type OpenBackplane } from './backplanes/backplane-factory.js';
import { MemoryBackplane } from './backplanes/memory/memory.backplane.js';
import { MemoryCluster } from './backplanes/memory/memory.cluster.js';
import { ChannelDefinitions } from './channels/channel-definitions.js';
import { Channels } from './channels/channels.js';
import { declaredChannels } from './channels/feature-channels.js';
import { RunQueue } from './channels/run-queue.js';
import { SseCluster } from './cluster/cluster.js';
import { Orders } from './cluster/orders.js';
import { ScatterGather } from './cluster/scatter-gather.js';
import { SubscriberCounts } from './cluster/subscriber-counts.js';
import { JoinableStreams } from './endpoint/joinable-streams.js';
import { ChannelHandlers } from './handlers/channel-handlers.js';
import { HandlerDiscovery } from './handlers/handler-discovery.js';
import { Health } from './health/hub-health.js';
import { Hooks } from './hooks/hooks.js';
import { Admission } from './http/admission.js';
import { ConnectionFeatures } from './http/connection-part.js';
import { ConnectionDiagnostics } from './http/connection-diagnostics.js';
import { Connections } from './http/connections.js';
import { Drain } from './http/drain.js';
import { OpeningQueue } from './http/opening-queue.js';
import { UnusedSockets } from './http/unused-sockets.js';
import { Heartbeat } from './http/heartbeat.js';
import { Identification } from './http/identity.js';
import { SseInterceptor } from './http/sse.interceptor.js';
import { SseServer } from './http/sse-server.js';
import { SseBackplane } from './log/backplane.js';
import { BackplaneDiagnostics } from './log/backplane-diagnostics.js';
import { SourcePipes } from './pipes/source-pipes.js';
import { MemberLists } from './presence/member-lists.js';
import { Presence } from './presence/presence.js';
import { ChannelWriter } from './publishing/channel-writer.js';
import { SHARED_HUB } from './publishing/publish.decorator.js';
import { Snapshots } from './snapshots/channel-snapshots.js';
import { SseError } from './sse.errors.js';
import { SseHub } from './sse-hub.js';
import { MODULE_OPTIONS_TOKEN, type SseModuleOptions } from './sse.module-definition.js';
import { StreamRoutes } from './sse.routes.js';
import { moduleSettings, SSE_SETTINGS, type SseSettings } from './sse.settings.js';
import { Shutdown } from './sse.shutdown.js';
import { Prefaces } from './streams/preface.js';
import { Streams } from './streams/streams.js';

/*
 * The wiring: the parts of the package, and what each is made of. A class that stands here alone has `@Injectable()` and
 * says itself what it is made of. A feature plugs itself in, in its constructor; no core room imports one.
 */

/** Injection token of the definitions, for `SseModule.forFeature()` of another copy of this package, too. */
export const SHARED_DEFINITIONS = Symbol.for('nestjs-sse-hub:ChannelDefinitions');

/** Injection token of the options of `forRoot()`; refused where SseModule itself was imported. */
const SSE_OPTIONS = Symbol('SSE_OPTIONS');

/** Injection token of the name of this instance. */
const HUB_NAME = Symbol('HUB_NAME');

/** Injection token of the backplane and the cluster, as one factory opens both. */
const OPEN_BACKPLANE = Symbol('OPEN_BACKPLANE');

const memoryBackplane: BackplaneFactory = (limits) => ({ backplane: new MemoryBackplane(limits) });

/** A provider that constructs a class from these parts. */
const made = <T, Parts extends unknown[]>(
  type: new (...parts: Parts) => T,
  ...inject: { [Part in keyof Parts]: InjectionToken<Parts[Part]> }
): Provider => ({ provide: type, inject, useFactory: (...parts: Parts) => new type(...parts) });

const configuration: Provider[] = [
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
      // Controllers are registered before the options of a factory are known.
      if ('endpoint' in options)
        throw new SseError('INVALID_OPTIONS', 'Give "endpoint" to forRootAsync() itself, beside useFactory.');
      return moduleSettings(options);
    },
  },
];

const backplane: Provider[] = [
  {
    provide: OPEN_BACKPLANE,
    inject: [SSE_SETTINGS, SSE_OPTIONS],
    useFactory: ({ limits }: SseSettings, { backplane: open = memoryBackplane }: SseModuleOptions) =>
      openBackplane(open, limits),
  },
  {
    provide: SseBackplane,
    inject: [OPEN_BACKPLANE],
    useFactory: (open: OpenBackplane) => open.backplane,
  },
  {
    provide: SseCluster,
    inject: [OPEN_BACKPLANE],
    useFactory: ({ cluster = new MemoryCluster() }: OpenBackplane) => cluster,
  },
];

const core: Provider[] = [
  {
    provide: ChannelDefinitions,
    inject: [SSE_SETTINGS, ModulesContainer],
    useFactory: (settings: SseSettings, modules: ModulesContainer) =>
      new ChannelDefinitions(settings, declaredChannels(modules)),
  },
  RunQueue,
  {
    provide: HUB_NAME,
    inject: [SseCluster],
    useFactory: ({ instance }: SseCluster) => instance,
  },
  made(BackplaneDiagnostics, HUB_NAME, SseBackplane),
  made(Channels, SseBackplane, ChannelDefinitions, RunQueue, HUB_NAME),
  made(ScatterGather, SseCluster),
  made(Orders, SseCluster),
  made(SubscriberCounts, Channels, ScatterGather),
  made(ChannelWriter, ChannelDefinitions, SseBackplane, SSE_SETTINGS, HUB_NAME),
  made(Streams, Channels, Prefaces, ChannelDefinitions, SseBackplane, SubscriberCounts, SSE_SETTINGS),
  ConnectionFeatures,
  Heartbeat,
  made(ConnectionDiagnostics, HUB_NAME, ChannelDefinitions),
  made(
    Connections,
    Heartbeat,
    ConnectionFeatures,
    ConnectionDiagnostics,
    Admission,
    ScatterGather,
    Orders,
    SseCluster,
  ),
  {
    provide: Identification,
    inject: [SSE_OPTIONS],
    useFactory: ({ identify }: SseModuleOptions) => new Identification(identify),
  },
  UnusedSockets,
  OpeningQueue,
  Admission,
  Drain,
  SseServer,
  SseInterceptor,
];

const features: Provider[] = [
  ChannelHandlers,
  made(HandlerDiscovery, ModulesContainer, ChannelDefinitions, ChannelHandlers, SSE_SETTINGS),
  made(Access, SSE_SETTINGS, ChannelHandlers, ChannelDefinitions, Orders, ConnectionFeatures),
  made(Snapshots, ChannelHandlers, SSE_SETTINGS),
  { provide: Prefaces, useExisting: Snapshots },
  made(Hooks, ChannelHandlers, Channels, ConnectionFeatures, ChannelDefinitions, HUB_NAME),
  made(Presence, SSE_SETTINGS, ChannelDefinitions, SseBackplane, SseCluster, ConnectionFeatures),
  made(MemberLists, Presence, ChannelDefinitions, ConnectionFeatures),
  made(SourcePipes, ChannelWriter, SubscriberCounts, SseCluster, SSE_SETTINGS, Drain),
  JoinableStreams,
];

export const providers: Provider[] = [
  ...configuration,
  ...backplane,
  ...core,
  ...features,
  made(StreamRoutes, ApplicationConfig, ModulesContainer, SseServer, SseInterceptor),
  made(Shutdown, Channels, Presence, SseCluster, SseBackplane),
  made(Health, SseBackplane, Connections, Drain, SSE_SETTINGS),
  made(SseHub, ChannelWriter, SourcePipes, Streams, Connections, Access, Presence, Health),
  { provide: SHARED_HUB, useExisting: SseHub },
  { provide: SHARED_DEFINITIONS, useExisting: ChannelDefinitions },
];
