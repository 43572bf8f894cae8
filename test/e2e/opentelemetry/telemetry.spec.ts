import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Span } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';
import { map } from 'rxjs';
import { defineChannel, SseModule } from '../../../src/sse/index.js';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import { INSTRUMENTS } from '../../../src/sse/instruments/instruments.js';
import { SseTelemetryModule } from '../../../src/sse/opentelemetry/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { eventually } from '../../support/eventually.js';
import { describeOnEach } from '../../support/shared-server.js';
import { startSseApp, untilConnections, untilSubscribers, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { instanceOf, Told } from '../diagnostics/told.js';

const Order = defineChannel('orders/:id', { history: { count: 2 } });

interface Traced extends SseApp {
  /** The spans that have ended, by the beginning of their name. */
  spans(name: string): ReadableSpan[];
  /** Runs something in a span of the application. */
  within<T>(task: () => T): { readonly span: Span; readonly result: T };
}

/** An instance with a real SDK of its own. */
async function start(
  sse: SseModuleOptions = {},
  sampler: AlwaysOnSampler | AlwaysOffSampler = new AlwaysOnSampler(),
): Promise<Traced> {
  const exporter = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({
    sampler: new ParentBasedSampler({ root: sampler }),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  const tracer = tracerProvider.getTracer('app');
  const app = await startSseApp({
    sse,
    imports: [SseModule.forFeature([Order]), SseTelemetryModule.forRoot({ tracerProvider })],
    routes: {
      events: (hub, { query }) => hub.stream(query['channel']!),
      values: (hub) => hub.stream('orders/7').pipe(map((event) => event)),
      fails: (hub) =>
        hub.stream('orders/7').pipe(
          map(() => {
            throw new Error('broken');
          }),
        ),
    },
    // As the instrumentation of HTTP does.
    configure: (nest) =>
      nest.use(
        (
          request: { url: string },
          response: { once(name: string, end: () => void): void },
          next: () => void,
        ) => {
          const span = tracer.startSpan(`GET ${request.url}`, { kind: SpanKind.SERVER });
          response.once('close', () => span.end());
          context.with(trace.setSpan(context.active(), span), next);
        },
      ),
  });
  return {
    ...app,
    spans: (name) => exporter.getFinishedSpans().filter((span) => span.name.startsWith(name)),
    within: (task) => {
      const span = tracer.startSpan('task', {}, ROOT_CONTEXT);
      return { span, result: context.with(trace.setSpan(ROOT_CONTEXT, span), task) };
    },
  };
}

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterAll(() => context.disable());

/** The only span of this name, once it has ended. */
async function ended({ spans }: Traced, name: string): Promise<ReadableSpan> {
  await eventually(() => spans(name).length > 0);
  expect(spans(name)).toHaveLength(1);
  return spans(name)[0]!;
}

describeOnEach('the spans of an event', (shared) => {
  it('are one of its publishing, and a linked one of each instance that delivers it', async () => {
    const backplane = shared();
    const [one, other] = [await start({ backplane }), await start({ backplane })];
    const clients = [
      await listen(`${one.url}/events?channel=orders/7`),
      await listen(`${other.url}/events?channel=orders/7`),
      await listen(`${other.url}/values`),
    ];
    await untilSubscribers(other.hub, 'orders/7', 2);
    const { span: parent, result } = one.within(() =>
      one.hub.publish('orders/7', { type: 'shipped', data: 'x' }),
    );
    const id = await result;
    for (const client of clients) await client.next();

    const publish = await ended(one, 'publish');
    const { traceId } = parent.spanContext();
    expect(publish).toMatchObject({
      name: 'publish orders/:id',
      kind: SpanKind.PRODUCER,
      parentSpanContext: { spanId: parent.spanContext().spanId },
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        'messaging.system': 'sse',
        'messaging.operation.name': 'publish',
        'messaging.operation.type': 'send',
        'messaging.client.id': instanceOf(one),
        'messaging.destination.name': 'orders/7',
        'messaging.destination.template': 'orders/:id',
        'messaging.message.id': id,
        'messaging.message.body.size': 'event: shipped\ndata: x\n\n'.length,
        'sse.event.type': 'shipped',
      },
    });
    for (const [app, deliveries] of [
      [one, 1],
      [other, 2],
    ] as const) {
      const deliver = await ended(app, 'deliver');
      expect(deliver).toMatchObject({
        name: 'deliver orders/:id',
        kind: SpanKind.CONSUMER,
        parentSpanContext: { spanId: publish.spanContext().spanId, isRemote: true },
        attributes: { 'messaging.client.id': instanceOf(app), 'sse.deliveries': deliveries },
      });
      expect(deliver.links.map((link) => link.context.spanId)).toEqual([publish.spanContext().spanId]);
      expect([publish, deliver].map((span) => span.spanContext().traceId)).toEqual([traceId, traceId]);
    }
    expect(other.spans('publish')).toEqual([]);
  });

  it('are none where its publishing is not sampled, and nothing travels with it', async () => {
    const backplane = shared();
    const one = await start({ backplane }, new AlwaysOffSampler());
    const other = await start({ backplane });
    const client = await listen(`${other.url}/events?channel=orders/7`);
    await untilSubscribers(other.hub, 'orders/7', 1);
    const told = Told.of(other, 'channel:delivered');
    await one.within(() => one.hub.publish('orders/7', { data: 'x' })).result;
    await client.next();
    expect((await told.next('channel:delivered')).traces).toEqual([]);
    expect([...one.spans(''), ...other.spans('publish'), ...other.spans('deliver')]).toEqual([]);
  });
});

describe('the span of publish()', () => {
  it('has the error', async () => {
    const app = await start();
    await expect(app.hub.publish('orders/7', {})).rejects.toThrow();
    expect(await ended(app, 'publish')).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: expect.stringContaining('at least one of') },
      attributes: { 'error.type': 'INVALID_EVENT' },
      events: [{ name: 'exception' }],
    });
  });

  it('is named without the channel where no definition matches', async () => {
    const app = await start();
    await app.hub.publish('other', { data: 'x' });
    const { name, attributes } = await ended(app, 'publish');
    expect(name).toBe('publish');
    expect(attributes['messaging.destination.template']).toBeUndefined();
  });
});

describe('the span of a response', () => {
  it('is a child of the request’s, lasts until the end, and has what happened', async () => {
    const app = await start();
    const lastEventId = await app.hub.publish('orders/7', { data: 0 });
    for (let i = 1; i < 5; i++) await app.hub.publish('orders/7', { data: i });
    const client = await listen(`${app.url}/events?channel=orders/7`, { lastEventId });
    await client.take(3);
    expect(app.spans('stream')).toEqual([]);
    client.close();
    await untilConnections(app.hub, 0);
    const span = await ended(app, 'stream');
    const request = await ended(app, 'GET');
    expect(span).toMatchObject({
      kind: SpanKind.INTERNAL,
      parentSpanContext: { spanId: request.spanContext().spanId },
      status: { code: SpanStatusCode.UNSET },
      attributes: { 'sse.end.reason': 'client', 'url.path': '/events', 'sse.channels': ['orders/7'] },
    });
    expect(span.events.map(({ name }) => name).sort()).toEqual(['gap', 'opened']);
    expect(span.events.find(({ name }) => name === 'gap')!.attributes).toMatchObject({
      'messaging.destination.template': 'orders/:id',
      'sse.gap.reason': 'evicted',
    });
  });

  it('has failed where the response has', async () => {
    const app = await start();
    const client = await listen(`${app.url}/fails`);
    await untilSubscribers(app.hub, 'orders/7', 1);
    await app.hub.publish('orders/7', { data: 'x' });
    await client.ended();
    expect(await ended(app, 'stream')).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: 'failed' },
    });
  });
});

describe('metrics', () => {
  it('are those of Prometheus, with the names and units of OpenTelemetry', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const meterProvider = new MeterProvider({ readers: [reader] });
    whenTestEnds(() => meterProvider.shutdown());
    const { app, hub, url, close } = await startSseApp({
      imports: [SseModule.forFeature([Order]), SseTelemetryModule.forRoot({ meterProvider })],
      routes: { events: (hub) => hub.stream('orders/7') },
    });
    const told = Told.of({ app }, 'channel:delivered');
    const client = await listen(`${url}/events`);
    await untilSubscribers(hub, 'orders/7', 1);
    await hub.publish('orders/7', { data: 'x' });
    await client.next();
    await told.next('channel:delivered');
    const collect = async () => {
      exporter.reset();
      await meterProvider.forceFlush();
      const metrics = exporter
        .getMetrics()
        .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((of) => of.metrics));
      return new Map(metrics.map((metric) => [metric.descriptor.name, metric]));
    };
    const metrics = await collect();
    const definition = 'orders/:id';
    for (const [name, value, attributes] of [
      ['sse.connections.active', 1, {}],
      ['sse.connections.opened', 1, { start: 'new' }],
      ['sse.events.published', 1, { definition }],
      ['sse.events.delivered', 1, { definition }],
      ['sse.delivered', 'data: x\n\n'.length, { definition }],
      ['sse.subscribers', 1, { definition }],
    ] as const) {
      const points = metrics.get(name)?.dataPoints ?? [];
      expect([name, points.map(({ value, attributes }) => ({ value, attributes }))]).toEqual([
        name,
        expect.arrayContaining([{ value, attributes }]),
      ]);
    }
    expect(metrics.get('sse.publish.duration')).toMatchObject({
      descriptor: { unit: 's' },
      dataPoints: [{ attributes: { definition }, value: { count: 1 } }],
    });
    for (const [name, { descriptor }] of metrics)
      expect(descriptor.unit).toBe(INSTRUMENTS[name as keyof typeof INSTRUMENTS].unit);
    await close();
    const stats = jest.spyOn(hub, 'stats');
    await collect();
    expect(stats).not.toHaveBeenCalled();
  });
});

it('SseTelemetryModule refuses what is no provider, and options that it does not have', async () => {
  for (const options of [{ tracerProvider: {} }, { meterProvider: 1 }, { tracer: {} }])
    expect(() => SseTelemetryModule.forRoot(options as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    );
  // Without an SDK nothing is recorded, and everything works.
  const app = await startSseApp({
    imports: [SseTelemetryModule.forRoot()],
    routes: { events: (hub) => hub.stream('news') },
  });
  const client = await listen(`${app.url}/events`);
  await untilSubscribers(app.hub, 'news', 1);
  await app.hub.publish('news', { data: 'x' });
  expect(await client.next()).toMatchObject({ text: 'x' });
});
