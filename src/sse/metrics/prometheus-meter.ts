import { Counter, Gauge, Histogram, type Metric } from 'prom-client';
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

const NAMES = Object.keys(INSTRUMENTS) as (keyof typeof INSTRUMENTS)[];

/** The instruments as metrics of prom-client. */
export class PrometheusMeter implements Meter {
  readonly #counters = new Map<NameOf<'counter'>, Counter>();
  readonly #histograms = new Map<NameOf<'histogram'>, Histogram>();
  readonly #metrics = new Map<string, Metric>();
  /** What is there now: read once for all metrics that are collected together. */
  #observed: readonly Observation[] | undefined;

  constructor(
    private readonly register: Register,
    private readonly stats: () => HubStats,
  ) {
    for (const name of NAMES) this.#metrics.set(prometheusName(name), this.#make(name));
  }

  /**
   * Puts the metrics into the register, with what was counted until now.
   *
   * @throws SseError `INVALID_OPTIONS` where the register has metrics of these names
   */
  open(): void {
    for (const name of this.#metrics.keys()) this.#refuseTaken(name);
    for (const metric of this.#metrics.values()) this.register.registerMetric(metric);
  }

  add(name: NameOf<'counter'>, value: number, labels: Labels = {}): void {
    this.#counters.get(name)?.inc(labels, value);
  }

  record(name: NameOf<'histogram'>, seconds: number, labels: Labels = {}): void {
    this.#histograms.get(name)?.observe(labels, seconds);
  }

  /** Takes the metrics out of the register. Those of another application stay, for which this one was refused. */
  close(): void {
    for (const [name, metric] of this.#metrics)
      if (this.register.getSingleMetric(name) === metric) this.register.removeSingleMetric(name);
  }

  #refuseTaken(name: string): void {
    if (!this.register.getSingleMetric(name)) return;
    throw new SseError(
      'INVALID_OPTIONS',
      `The register has a metric "${name}" already. Import SseMetricsModule once, and give each application of a process a register of its own.`,
    );
  }

  #make(name: keyof typeof INSTRUMENTS): Metric {
    const { kind, description: help, labels: labelNames } = INSTRUMENTS[name];
    const options = { name: prometheusName(name), help, labelNames: [...labelNames], registers: [] };
    const observed = (): readonly Observation[] => this.#observe().filter(([of]) => of === name);
    if (kind === 'histogram') {
      const histogram = new Histogram({ ...options, buckets: [...BUCKETS] });
      this.#histograms.set(name as NameOf<'histogram'>, histogram);
      return histogram;
    }
    if (kind === 'counter') {
      const counter = new Counter(options);
      this.#counters.set(name as NameOf<'counter'>, counter);
      return counter;
    }
    if (kind === 'total')
      return new Counter({
        ...options,
        collect() {
          this.reset();
          for (const [, value, labels = {}] of observed()) this.inc(labels, value);
        },
      });
    // A definition that has nothing any more is left out.
    return new Gauge({
      ...options,
      collect() {
        this.reset();
        for (const [, value, labels = {}] of observed()) this.set(labels, value);
      },
    });
  }

  #observe(): readonly Observation[] {
    if (this.#observed) return this.#observed;
    // prom-client collects all metrics in one turn.
    queueMicrotask(() => (this.#observed = undefined));
    return (this.#observed = [...observe(this.stats())]);
  }
}
