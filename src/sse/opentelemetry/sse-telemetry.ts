import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { metrics, trace } from '@opentelemetry/api';
import { SseCluster } from '../cluster/cluster.js';
import { measure } from '../instruments/measure.js';
import { COPY } from '../package-copy.js';
import { SHARED_HUB } from '../publishing/publish.decorator.js';
import type { SseHub } from '../sse-hub.js';
import { TelemetryMeter } from './telemetry-meter.js';
import {
  checkOptions,
  MODULE_OPTIONS_TOKEN,
  type SseTelemetryOptions,
} from './telemetry.module-definition.js';
import { listenForSpans } from './spans.js';

/** The name of the instrumentation scope. */
const SCOPE = 'nestjs-sse-hub';

/** The traces and metrics of one application, from its start until it is closed. */
@Injectable()
export class SseTelemetry implements OnApplicationShutdown {
  readonly #ends: readonly (() => void)[];

  /** @throws SseError `INVALID_OPTIONS` */
  constructor(
    @Inject(MODULE_OPTIONS_TOKEN) options: SseTelemetryOptions,
    @Inject(SHARED_HUB) hub: SseHub,
    @Inject(SseCluster) { instance }: SseCluster,
  ) {
    checkOptions(options);
    const { tracerProvider = trace.getTracerProvider(), meterProvider = metrics.getMeterProvider() } =
      options;
    const meter = new TelemetryMeter(meterProvider.getMeter(SCOPE, COPY.version), () => hub.stats());
    this.#ends = [
      listenForSpans(instance, tracerProvider.getTracer(SCOPE, COPY.version)),
      measure(instance, meter),
      () => meter.close(),
    ];
  }

  onApplicationShutdown(): void {
    for (const end of this.#ends) end();
  }
}
