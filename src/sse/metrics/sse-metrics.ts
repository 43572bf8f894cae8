import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { register as globalRegister } from 'prom-client';
import { SseCluster } from '../cluster/cluster.js';
import { measure } from '../instruments/measure.js';
import { SHARED_HUB } from '../publishing/publish.decorator.js';
import type { SseHub } from '../sse-hub.js';
import { checkOptions, MODULE_OPTIONS_TOKEN, type SseMetricsOptions } from './metrics.module-definition.js';
import { PrometheusMeter } from './prometheus-meter.js';

/** The metrics of one application, from its start until it is closed. */
@Injectable()
export class SseMetrics implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #meter: PrometheusMeter;
  readonly #end: () => void;

  /** @throws SseError `INVALID_OPTIONS` */
  constructor(
    @Inject(MODULE_OPTIONS_TOKEN) options: SseMetricsOptions,
    @Inject(SHARED_HUB) hub: SseHub,
    @Inject(SseCluster) { instance }: SseCluster,
  ) {
    checkOptions(options);
    this.#meter = new PrometheusMeter(options.register ?? globalRegister, () => hub.stats());
    this.#end = measure(instance, this.#meter);
  }

  /**
   * Not before: an application whose start fails is never closed, and would leave its metrics in the way of the next one.
   *
   * @throws SseError `INVALID_OPTIONS` where the register has metrics of these names
   */
  onApplicationBootstrap(): void {
    this.#meter.open();
  }

  /** The register may be that of a process in which more applications come. */
  onApplicationShutdown(): void {
    this.#end();
    this.#meter.close();
  }
}
