/**
 * Metrics of the hub for Prometheus, by prom-client.
 *
 * The guide: README.md beside this file.
 */
export { SseMetricsModule } from './metrics.module.js';
export type { SseMetricsOptions, SseMetricsOptionsFactory } from './metrics.module-definition.js';
