import { Logger } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';
import * as diagnostics from '../../../src/sse/diagnostics/diagnostics.js';
import type { EndReason, ObservedConnection, Publishing } from '../../../src/sse/diagnostics/messages.js';
import { listenForSpans } from '../../../src/sse/opentelemetry/spans.js';
import { whenTestEnds } from '../../support/clean-up.js';

const ofHub = { hub: 'here' };
const ofChannel = { ...ofHub, channel: 'orders/7', definition: 'orders/:id' };
const destination = {
  'messaging.system': 'sse',
  'messaging.client.id': 'here',
  'messaging.destination.name': 'orders/7',
  'messaging.destination.template': 'orders/:id',
};

/** Makes spans from now on. @returns those that have ended */
function tracing(sampler: AlwaysOnSampler | AlwaysOffSampler = new AlwaysOnSampler()): () => ReadableSpan[] {
  const exporter = new InMemorySpanExporter();
  const spanProcessors = [new SimpleSpanProcessor(exporter)];
  const tracer = new BasicTracerProvider({ sampler, spanProcessors }).getTracer('test');
  whenTestEnds(listenForSpans('here', tracer));
  // A listener that fails is logged.
  const failed = jest.spyOn(Logger.prototype, 'error');
  whenTestEnds(() => {
    const calls = [...failed.mock.calls];
    failed.mockRestore();
    expect(calls).toEqual([]);
  });
  return () => exporter.getFinishedSpans();
}

const call = (more: Partial<Publishing> = {}): Publishing => ({
  ...{ ...ofChannel, startedAt: 0, type: undefined },
  ...more,
});

/** Publishes the messages of a call of `publish()`. */
function publish(publishing: Publishing, end: Partial<Publishing> = {}): Publishing {
  diagnostics.publishing.start.publish(publishing);
  diagnostics.publishing.asyncEnd.publish(Object.assign(publishing, end));
  return publishing;
}

const TRACE = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };

describe('the span of a call', () => {
  it('has what was published, and its context goes with the event', () => {
    const spans = tracing();
    const { trace } = publish(call(), { bytes: 9, result: { id: '1.aHASH' } });
    const [span] = spans();
    expect(span).toMatchObject({ name: 'publish orders/:id', kind: SpanKind.PRODUCER, events: [] });
    expect(span!.attributes).toEqual({
      ...destination,
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.message.id': '1.aHASH',
      'messaging.message.body.size': 9,
      'sse.event.type': 'message',
    });
    const { traceId, spanId } = span!.spanContext();
    expect(trace).toBe(`00-${traceId}-${spanId}-01`);
  });

  it('says nothing of an id and a size that there are not', () => {
    const spans = tracing();
    publish(call({ type: 'note', definition: undefined }), { result: { id: '' } });
    expect(spans()[0]!.name).toBe('publish');
    expect(spans()[0]!.attributes).toEqual({
      'messaging.system': 'sse',
      'messaging.client.id': 'here',
      'messaging.destination.name': 'orders/7',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'sse.event.type': 'note',
    });
  });

  it('leaves a context that another listener has given', () => {
    tracing();
    expect(publish(call({ trace: 'theirs' })).trace).toBe('theirs');
  });

  it('is none where it is not recorded', () => {
    const spans = tracing(new AlwaysOffSampler());
    expect(publish(call()).trace).toBeUndefined();
    expect(spans()).toEqual([]);
  });

  it.each([
    [new Error('broken'), 'broken', 'Error'],
    ['no error', 'no error', undefined],
  ])('has failed by %p', (error, message, type) => {
    const spans = tracing();
    publish(call(), { error });
    const [{ status, events }] = spans() as [ReadableSpan];
    expect(status).toEqual({ code: SpanStatusCode.ERROR, message: expect.stringContaining(message) });
    expect(events).toMatchObject([
      { name: 'exception', attributes: { 'exception.message': expect.stringContaining(message) } },
    ]);
    expect(events[0]!.attributes?.['exception.type']).toBe(type);
  });

  it('is made of its own hub alone', () => {
    const spans = tracing();
    publish(call({ hub: 'elsewhere' }));
    expect(spans()).toEqual([]);
  });
});

describe('the span of a delivery', () => {
  const deliver = (lag: { min: number; max: number } | undefined, ...traces: string[]): void =>
    diagnostics.channelDelivered.publish({
      ...{ ...ofChannel, deliveries: 3, bytes: 27, replayed: 0, duration: 250, lag, upTo: 1, traces },
    });

  it('is one for each context, with what was handed on and how long it took', () => {
    const spans = tracing();
    const { traceId, spanId } = TRACE;
    const other = spanId.replace('0', '1');
    deliver({ min: 1, max: 5 }, `00-${traceId}-${spanId}-01`, `00-${traceId}-${other}-01`);
    expect(spans().map(({ parentSpanContext }) => parentSpanContext)).toMatchObject([
      { traceId, spanId, isRemote: true, traceFlags: 1 },
      { traceId, spanId: other, isRemote: true, traceFlags: 1 },
    ]);
    const [span] = spans();
    expect(span).toMatchObject({ name: 'deliver orders/:id', kind: SpanKind.CONSUMER });
    expect(span!.links.map(({ context }) => context)).toMatchObject([{ traceId, spanId }]);
    expect(span!.attributes).toEqual({
      ...destination,
      'messaging.operation.name': 'deliver',
      'messaging.operation.type': 'process',
      'sse.deliveries': 3,
      'sse.delivered.size': 27,
      'sse.delivery.lag': 5,
    });
    const [seconds, nanoseconds] = span!.duration;
    expect(seconds * 1_000 + nanoseconds / 1e6).toBeCloseTo(250);
    expect(Math.abs(span!.endTime[0] - Date.now() / 1_000)).toBeLessThan(60);
  });

  it('has no lag where all were replayed', () => {
    const spans = tracing();
    deliver(undefined, `00-${TRACE.traceId}-${TRACE.spanId}-01`);
    expect(Object.keys(spans()[0]!.attributes)).not.toContain('sse.delivery.lag');
  });
});

describe('the span of a response', () => {
  const connection = {
    ...{ id: '1', request: {}, positions: [] },
    info: { path: '/events', channels: ['orders/7'] },
  } as unknown as ObservedConnection;
  const end = (reason: EndReason): void =>
    diagnostics.connectionEnded.publish({ ...ofHub, connection, reason, duration: 1 });
  /** Tells of all that can happen to a response, from its beginning to its end. */
  const liveThrough = (): void => {
    diagnostics.connectionBegan.publish({ ...ofHub, connection });
    diagnostics.connectionOpened.publish({ ...ofHub, connection, duration: 1, isResumed: true });
    diagnostics.connectionBackedUp.publish({ ...ofHub, connection });
    const gap = { reason: 'lagged', requested: '', oldest: null, latest: '' };
    diagnostics.streamGap.publish({ ...ofChannel, connection, ...gap });
    diagnostics.streamDenied.publish({ ...ofChannel, connection, reason: 'revoked' });
    end('client');
  };

  it('has what happened to it', () => {
    const spans = tracing();
    liveThrough();
    const [span] = spans();
    expect(span).toMatchObject({ name: 'stream', status: { code: SpanStatusCode.UNSET } });
    expect(span!.attributes).toEqual({
      'messaging.system': 'sse',
      'sse.end.reason': 'client',
      'url.path': '/events',
      'sse.channels': ['orders/7'],
    });
    expect(span!.events.map(({ name, attributes = {} }) => [name, attributes])).toEqual([
      ['opened', { 'sse.resumed': true }],
      ['backed up', {}],
      ['gap', { ...destination, 'sse.gap.reason': 'lagged' }],
      ['denied', { ...destination, 'sse.denial.reason': 'revoked' }],
    ]);
  });

  it.each([
    ...(['failed', 'slow', 'overflow', 'gap'] as const).map((reason) => [reason, true] as const),
    ...(
      ['completed', 'client', 'expired', 'revoked', 'disconnected', 'age', 'shutdown', 'refused'] as const
    ).map((reason) => [reason, false] as const),
  ])('that ended by "%s" has failed: %p', (reason, hasFailed) => {
    const spans = tracing();
    diagnostics.connectionBegan.publish({ ...ofHub, connection });
    end(reason);
    const status = hasFailed
      ? { code: SpanStatusCode.ERROR, message: reason }
      : { code: SpanStatusCode.UNSET };
    expect(spans()[0]!.status).toEqual(status);
  });

  it('that began before the listening, or is not recorded, is none', () => {
    const spans = tracing(new AlwaysOffSampler());
    liveThrough();
    expect(spans()).toEqual([]);
  });
});
