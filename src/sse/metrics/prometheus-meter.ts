import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import {
  BUCKETS,
  INSTRUMENTS,
  prometheusName,
  type Labels,
  type NameOf,
} from '../instruments/instruments.js';
import { observe, type Meter, type Observation } from '../instruments/measure.js';
import { SseError } from '../sse.errors.js';
import type { HubStats } from '../sse-hub.js';
import type { SseMetricsOptions } from './metrics.module-definition.js';

type Register = NonNullable<SseMetricsOptions['register']>;

/** The instruments as metrics of prom-client. */
export class PrometheusMeter implements Meter {
  readonly #counters = new Map<NameOf<'counter'>, Counter>();
  readonly #histograms = new Map<NameOf<'histogram'>, Histogram>();
  /** What is there now: read once for all metrics that are collected together. */
  #observed: readonly Observation[] | undefined;

  /** @throws SseError `INVALID_OPTIONS` where the register has metrics of these names */
  constructor(
    private readonly register: Register,
    private readonly stats: () => HubStats,
  ) {
    const names = Object.keys(INSTRUMENTS) as (keyof typeof INSTRUMENTS)[];
    for (const name of names) this.#refuseTaken(prometheusName(name));
    for (const name of names) this.#make(name);
  }

  add(name: NameOf<'counter'>, value: number, labels: Labels = {}): void {
    this.#counters.get(name)?.inc(labels, value);
  }

  record(name: NameOf<'histogram'>, seconds: number, labels: Labels = {}): void {
    this.#histograms.get(name)?.observe(labels, seconds);
  }

  /** Takes the metrics out of the register. */
  close(): void {
    for (const name of Object.keys(INSTRUMENTS))
      this.register.removeSingleMetric(prometheusName(name as keyof typeof INSTRUMENTS));
  }

  #refuseTaken(name: string): void {
    if (!this.register.getSingleMetric(name)) return;
    throw new SseError(
      'INVALID_OPTIONS',
      `The register has a metric "${name}" already. Import SseMetricsModule once, and give each application of a process a register of its own.`,
    );
  }

  #make(name: keyof typeof INSTRUMENTS): void {
    const { kind, description: help, labels: labelNames } = INSTRUMENTS[name];
    const registers = [this.register as Registry];
    const options = { name: prometheusName(name), help, labelNames: [...labelNames], registers };
    const observed = (): readonly Observation[] => this.#observe().filter(([of]) => of === name);
    if (kind === 'histogram') {
      this.#histograms.set(name as NameOf<'histogram'>, new Histogram({ ...options, buckets: [...BUCKETS] }));
    } else if (kind === 'gauge') {
      // A definition that has nothing any more is left out.
      new Gauge({
        ...options,
        collect() {
          this.reset();
          for (const [, value, labels = {}] of observed()) this.set(labels, value);
        },
      });
    } else if (kind === 'total') {
      new Counter({
        ...options,
        collect() {
          this.reset();
          for (const [, value, labels = {}] of observed()) this.inc(labels, value);
        },
      });
    } else {
      this.#counters.set(name as NameOf<'counter'>, new Counter(options));
    }
  }

  #observe(): readonly Observation[] {
    if (this.#observed) return this.#observed;
    // prom-client collects all metrics in one turn.
    queueMicrotask(() => (this.#observed = undefined));
    return (this.#observed = [...observe(this.stats())]);
  }
}
