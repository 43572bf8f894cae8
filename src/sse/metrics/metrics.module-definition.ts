import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { Registry } from 'prom-client';
import { checkObject, invalid } from '../validate.js';

/** Options of `SseMetricsModule.forRoot()`. */
export interface SseMetricsOptions {
  /** The register of prom-client that gets the metrics. @defaultValue its global one */
  readonly register?: Pick<Registry, 'registerMetric' | 'getSingleMetric' | 'removeSingleMetric'>;
}

/** The class that `forRootAsync({ useClass | useExisting })` takes. */
export interface SseMetricsOptionsFactory {
  createSseMetricsOptions(): SseMetricsOptions | Promise<SseMetricsOptions>;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<SseMetricsOptions>({ moduleName: 'SseMetrics' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createSseMetricsOptions')
    .build();

/** @throws SseError `INVALID_OPTIONS` */
export function checkOptions(options: SseMetricsOptions): void {
  checkObject(options, ['register'], 'SseMetricsModule.forRoot()');
  const { register } = options;
  if (register === undefined || typeof (register as Partial<Registry> | null)?.registerMetric === 'function')
    return;
  invalid('register', register, 'a Registry of prom-client');
}
