import { ConfigurableModuleBuilder } from '@nestjs/common';
import { endpointController, type EndpointOptions } from './endpoint/endpoint.controller.js';
import { Endpoint } from './endpoint/endpoint.js';
import type { BackplaneFactory } from './backplanes/backplane-factory.js';
import type { Identify } from './http/identity.js';
import type { SseBaseOptions } from './sse.options.js';

/** Options of `SseModule.forRoot()`; those of a channel are the defaults of every channel. */
export interface SseModuleOptions extends SseBaseOptions {
  /** Where the logs of the channels are kept, in place of this process's memory. */
  readonly backplane?: BackplaneFactory;
  /**
   * Says who a connection belongs to, for `@AuthorizeChannel()`, presence, and to end what a user has open.
   * It is asked after the guards. @defaultValue nobody is known
   */
  readonly identify?: Identify;
}

/** What `forRootAsync({ useClass | useExisting })` expects of that class. */
export interface SseOptionsFactory {
  createSseOptions(): SseModuleOptions | Promise<SseModuleOptions>;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<SseModuleOptions>({ moduleName: 'Sse' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createSseOptions')
    .setExtras(
      {
        isGlobal: true,
        /** Mounts a ready endpoint, one connection for many channels. It is off without. */
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
