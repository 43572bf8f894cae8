import { ConfigurableModuleBuilder } from '@nestjs/common';
import { endpointController, type EndpointOptions } from './endpoint/endpoint.controller.js';
import { Endpoint } from './endpoint/endpoint.js';
import type { BackplaneFactory } from './backplanes/backplane-factory.js';
import type { Identify } from './http/identity.js';
import type { SseBaseOptions } from './sse.options.js';

/** Options of `SseModule.forRoot()`; those of a channel are the defaults of every channel. */
export interface SseModuleOptions extends SseBaseOptions {
  /** Opens the store of the channels' logs. @defaultValue this process's memory */
  readonly backplane?: BackplaneFactory;
  /**
   * Names the user of a connection, for `@AuthorizeChannel()`, presence, `revoke()` and `disconnect()`. It is called
   * after the guards. @defaultValue connections have no user
   */
  readonly identify?: Identify;
}

/** The class that `forRootAsync({ useClass | useExisting })` takes. */
export interface SseOptionsFactory {
  createSseOptions(): SseModuleOptions | Promise<SseModuleOptions>;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<SseModuleOptions>({ moduleName: 'Sse' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createSseOptions')
    .setExtras(
      {
        isGlobal: true,
        /** Mounts the ready-made endpoint: one connection for many channels that the client chooses. @defaultValue none */
        endpoint: undefined as EndpointOptions | undefined,
      },
      (definition, { isGlobal, endpoint }) => ({
        ...definition,
        global: isGlobal,
        ...(endpoint !== undefined && {
          providers: [...(definition.providers ?? []), Endpoint],
          controllers: [endpointController(endpoint)],
        }),
      }),
    )
    .build();
