import { expect, it } from '@jest/globals';
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BUCKETS, INSTRUMENTS, type NameOf } from '../../../src/sse/instruments/instruments.js';
import { TelemetryMeter } from '../../../src/sse/opentelemetry/telemetry-meter.js';
import { whenTestEnds } from '../../support/clean-up.js';

const STATS = {
  ...{ connections: 1, channels: 2, resent: 5, historyEvents: 6, historyBytes: 7, backplane: 'ready' },
  definitions: [{ definition: undefined, channels: 1, subscribers: 2, members: 3, pipes: 4 }],
};

it('the instruments of OpenTelemetry are all that are described, each of its kind', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  whenTestEnds(() => provider.shutdown());
  const meter = new TelemetryMeter(provider.getMeter('test'), () => STATS as never);
  const labels = { definition: 'orders/:id' };
  for (const [name, { kind }] of Object.entries(INSTRUMENTS)) {
    if (kind === 'counter') meter.add(name as NameOf<'counter'>, 3, labels);
    if (kind === 'histogram') meter.record(name as NameOf<'histogram'>, 0.2, labels);
  }
  await provider.forceFlush();
  const metrics = exporter
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  expect(metrics.map(({ descriptor }) => descriptor.name).sort()).toEqual(Object.keys(INSTRUMENTS).sort());
  for (const metric of metrics) {
    const { name, unit, description } = metric.descriptor;
    const described = INSTRUMENTS[name as keyof typeof INSTRUMENTS];
    expect([name, unit, description]).toEqual([name, described.unit, described.description]);
    const [point] = metric.dataPoints;
    if (metric.dataPointType === DataPointType.HISTOGRAM) {
      expect([name, described.kind]).toEqual([name, 'histogram']);
      const { buckets, sum } = metric.dataPoints[0]!.value;
      expect([buckets.boundaries, sum, point!.attributes]).toEqual([BUCKETS, 0.2, labels]);
    } else if (metric.dataPointType === DataPointType.SUM) {
      // Only what never falls is monotonic: rates are made of that.
      expect([name, metric.isMonotonic]).toEqual([name, described.kind !== 'gauge']);
      if (described.kind === 'counter') expect([point!.value, point!.attributes]).toEqual([3, labels]);
    }
  }
  const valueOf = (name: string): unknown =>
    metrics.find(({ descriptor }) => descriptor.name === name)?.dataPoints[0]?.value;
  expect(['sse.publish.resent', 'sse.history.size', 'sse.members'].map(valueOf)).toEqual([5, 7, 3]);
});
