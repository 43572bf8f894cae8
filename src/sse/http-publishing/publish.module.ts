import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { defined } from '../validate.js';
import { HttpPublishing } from './http-publishing.js';
import { publishController } from './publish.controller.js';
import {
  checkedRules,
  checkRoute,
  PUBLISH_RULES,
  type SsePublishOptions,
  type SsePublishRoute,
  type SsePublishRules,
} from './publish.options.js';

/** Options of `SsePublishModule.forRootAsync()`: the route is known before the rules. */
export interface SsePublishAsyncOptions extends SsePublishRoute {
  readonly useFactory: (...args: never[]) => SsePublishRules | Promise<SsePublishRules>;
  readonly inject?: NonNullable<FactoryProvider['inject']>;
}

/**
 * Publishing over HTTP: other services, cron jobs and webhooks publish by POST. The application imports
 * `SseModule.forRoot()`, and this module once for each route.
 *
 * @example
 * ```ts
 * SsePublishModule.forRoot({ path: 'internal/events', guards: [ApiKeyGuard] })
 * ```
 */
@Module({})
export class SsePublishModule {
  /** @throws SseError `INVALID_OPTIONS`, also without `guards`: it is never open unless that is said */
  static forRoot(options: SsePublishOptions): DynamicModule {
    checkRoute(options, ['channels'], 'SsePublishModule.forRoot()');
    const rules = checkedRules(defined({ channels: options.channels }) as SsePublishRules);
    return moduleOf(options, { useFactory: () => rules });
  }

  /** @throws SseError as `forRoot()`; `INVALID_OPTIONS` at the start for wrong rules */
  static forRootAsync(options: SsePublishAsyncOptions): DynamicModule {
    checkRoute(options, ['useFactory', 'inject'], 'SsePublishModule.forRootAsync()');
    const { useFactory, inject = [] } = options;
    return moduleOf(options, {
      inject,
      useFactory: async (...args: never[]) => checkedRules(await useFactory(...args)),
    });
  }
}

const moduleOf = (route: SsePublishRoute, rules: Omit<FactoryProvider, 'provide'>): DynamicModule => ({
  module: SsePublishModule,
  imports: [...(route.imports ?? [])],
  providers: [{ ...rules, provide: PUBLISH_RULES }, HttpPublishing],
  controllers: [publishController(route)],
});
