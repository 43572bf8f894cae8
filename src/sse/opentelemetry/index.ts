/**
 * Traces and metrics of the hub for OpenTelemetry, by its API.
 *
 * The guide: README.md beside this file.
 */
export { SseTelemetryModule } from './telemetry.module.js';
export type { SseTelemetryOptions, SseTelemetryOptionsFactory } from './telemetry.module-definition.js';
