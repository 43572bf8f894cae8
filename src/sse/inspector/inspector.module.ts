import { Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ChannelDefinitions } from '../channels/channel-definitions.js';
import { Channels } from '../channels/channels.js';
import { SseCluster } from '../cluster/cluster.js';
import { ScatterGather } from '../cluster/scatter-gather.js';
import { Connections } from '../http/connections.js';
import { SseBackplane } from '../log/backplane.js';
import { SseHub } from '../sse-hub.js';
import { Streams } from '../streams/streams.js';
import { inspectorController } from './inspector.controller.js';
import { inspectorSettings, type SseInspectorOptions } from './inspector.options.js';
import { Inspector } from './inspector.js';

/**
 * The inspector: a page that shows connections, channels and figures of all instances, and explains what became of an event.
 * The application imports `SseModule.forRoot()`.
 */
@Module({})
export class SseInspectorModule implements OnApplicationShutdown {
  constructor(@Inject(Inspector) private readonly inspector: Inspector) {}

  /** @throws SseError `INVALID_OPTIONS`, also where no guards are given */
  static forRoot(options: SseInspectorOptions): DynamicModule {
    const settings = inspectorSettings(options);
    return {
      module: SseInspectorModule,
      imports: settings.imports,
      controllers: [inspectorController(settings)],
      providers: [
        {
          provide: Inspector,
          // The hub is made of all the others, so these are there.
          inject: [SseHub, ModuleRef],
          useFactory: (hub: SseHub, ref: ModuleRef) => {
            const of = { strict: false };
            const parts = {
              hub,
              connections: ref.get(Connections, of),
              channels: ref.get(Channels, of),
              streams: ref.get(Streams, of),
              definitions: ref.get(ChannelDefinitions, of),
              backplane: ref.get<SseBackplane>(SseBackplane, of),
              cluster: ref.get<SseCluster>(SseCluster, of),
              instances: ref.get(ScatterGather, of),
            };
            return new Inspector(parts, settings);
          },
        },
      ],
    };
  }

  onApplicationShutdown(): void {
    this.inspector.close();
  }
}
