import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import { checkObject, invalid } from '../validate.js';

/** Options of `SseTelemetryModule.forRoot()`. */
export interface SseTelemetryOptions {
  /** Makes the spans. @defaultValue the global one of `@opentelemetry/api`, which makes none until an SDK is registered */
  readonly tracerProvider?: TracerProvider;
  /** Takes the metrics. @defaultValue the global one of `@opentelemetry/api` */
  readonly meterProvider?: MeterProvider;
}

/** The class that `forRootAsync({ useClass | useExisting })` takes. */
export interface SseTelemetryOptionsFactory {
  createSseTelemetryOptions(): SseTelemetryOptions | Promise<SseTelemetryOptions>;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<SseTelemetryOptions>({ moduleName: 'SseTelemetry' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createSseTelemetryOptions')
    .build();

/** @throws SseError `INVALID_OPTIONS` */
export function checkOptions(options: SseTelemetryOptions): void {
  checkObject(options, ['tracerProvider', 'meterProvider'], 'SseTelemetryModule.forRoot()');
  const { tracerProvider, meterProvider } = options;
  checkProvider('tracerProvider', tracerProvider, 'getTracer');
  checkProvider('meterProvider', meterProvider, 'getMeter');
}

function checkProvider(option: string, provider: object | undefined, method: string): void {
  if (provider === undefined) return;
  const has = (provider as Readonly<Record<string, unknown>> | null)?.[method];
  if (typeof has !== 'function') invalid(option, provider, `an object with ${method}(), as an SDK makes it`);
}
