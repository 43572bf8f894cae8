import type {
  BatchObservableCallback,
  Counter,
  Histogram,
  Meter as OpenMeter,
  Observable,
} from '@opentelemetry/api';
import { BUCKETS, INSTRUMENTS, type Labels, type NameOf } from '../instruments/instruments.js';
import { observe, type Meter } from '../instruments/measure.js';
import type { HubStats } from '../sse-hub.js';

/** The instruments as those of OpenTelemetry. */
export class TelemetryMeter implements Meter {
  readonly #counters = new Map<NameOf<'counter'>, Counter>();
  readonly #histograms = new Map<NameOf<'histogram'>, Histogram>();
  readonly #observables = new Map<NameOf<'gauge' | 'total'>, Observable>();
  readonly #observing: BatchObservableCallback;

  constructor(
    private readonly meter: OpenMeter,
    stats: () => HubStats,
  ) {
    for (const name of Object.keys(INSTRUMENTS)) this.#make(name as keyof typeof INSTRUMENTS);
    this.#observing = (result) => {
      for (const [name, value, labels] of observe(stats()))
        result.observe(this.#observables.get(name) as Observable, value, labels);
    };
    meter.addBatchObservableCallback(this.#observing, [...this.#observables.values()]);
  }

  add(name: NameOf<'counter'>, value: number, labels?: Labels): void {
    this.#counters.get(name)?.add(value, labels);
  }

  record(name: NameOf<'histogram'>, seconds: number, labels?: Labels): void {
    this.#histograms.get(name)?.record(seconds, labels);
  }

  /** Reads nothing any more. What was counted stays with the SDK. */
  close(): void {
    this.meter.removeBatchObservableCallback(this.#observing, [...this.#observables.values()]);
  }

  #make(name: keyof typeof INSTRUMENTS): void {
    const { meter } = this;
    const { kind, unit, description } = INSTRUMENTS[name];
    const options = { unit, description };
    if (kind === 'counter') {
      this.#counters.set(name as NameOf<'counter'>, meter.createCounter(name, options));
    } else if (kind === 'histogram') {
      const advice = { explicitBucketBoundaries: [...BUCKETS] };
      this.#histograms.set(name as NameOf<'histogram'>, meter.createHistogram(name, { ...options, advice }));
    } else {
      // Gauges of several instances can be added up.
      const observable =
        kind === 'total'
          ? meter.createObservableCounter(name, options)
          : meter.createObservableUpDownCounter(name, options);
      this.#observables.set(name as NameOf<'gauge' | 'total'>, observable);
    }
  }
}
