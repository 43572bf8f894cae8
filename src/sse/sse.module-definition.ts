import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { BackplaneFactory } from './hub/backplane-factory.js';
import type { Identify } from './hub/identity.js';
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
    .setExtras({ isGlobal: true }, (definition, { isGlobal }) => ({ ...definition, global: isGlobal }))
    .build();
