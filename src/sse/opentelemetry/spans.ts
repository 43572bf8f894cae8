import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';
import { listenTo } from '../diagnostics/listen.js';
import type { EndReason, ObservedConnection, OfChannel, Publishing } from '../diagnostics/messages.js';
import { codeOf, reasonOf } from '../sse.errors.js';

/*
 * Three spans. The attributes are those of the semantic conventions for messaging, as far as these have them.
 *
 * - `publish orders/:id` (PRODUCER): a call of publish() or emit(). If it is sampled, its context travels with the event.
 * - `deliver orders/:id` (CONSUMER): the turn in which an instance has handed such an event on to its streams; the child
 *   of the publish span, and linked to it.
 * - `stream` (INTERNAL): a response, from letting it in to its end; the child of the span of its request.
 *
 * A span that is not recorded is not kept, and an event of one that is not sampled carries nothing.
 */

/** The ends of a response that its client did not want, and the application did not order. */
const FAULTS: ReadonlySet<EndReason> = new Set(['failed', 'slow', 'overflow', 'gap']);

/**
 * Makes the spans of one hub from now on.
 *
 * @param hub `SseCluster.instance`
 * @returns ends it
 */
export function listenForSpans(hub: string, tracer: Tracer): () => void {
  const calls = new WeakMap<Publishing, Span>();
  const responses = new WeakMap<ObservedConnection, Span>();
  return listenTo(
    {
      'publish:start': (call) => {
        const span = beginPublishing(tracer, call);
        if (!span.isRecording()) return;
        calls.set(call, span);
        call.trace ??= traceparentOf(span.spanContext());
      },
      'publish:asyncEnd': (call) => {
        const span = calls.get(call);
        if (span) endPublishing(span, call);
      },
      'channel:delivered': ({ traces, ...delivered }) => {
        for (const traceparent of traces) spanOfDelivery(tracer, traceparent, delivered);
      },
      'connection:began': ({ connection }) => {
        const span = tracer.startSpan('stream', { attributes: { 'messaging.system': SYSTEM } });
        if (span.isRecording()) responses.set(connection, span);
      },
      'connection:opened': ({ connection, isResumed }) =>
        responses.get(connection)?.addEvent('opened', { 'sse.resumed': isResumed }),
      'connection:backed-up': ({ connection }) => responses.get(connection)?.addEvent('backed up'),
      'stream:gap': ({ connection, reason, ...gap }) =>
        responses.get(connection)?.addEvent('gap', { ...destinationOf(gap), 'sse.gap.reason': reason }),
      'stream:denied': ({ connection, reason, ...denial }) =>
        responses
          .get(connection)
          ?.addEvent('denied', { ...destinationOf(denial), 'sse.denial.reason': reason }),
      'connection:ended': ({ connection, reason }) => {
        const span = responses.get(connection);
        if (span) endResponse(span, connection, reason);
      },
    },
    hub,
  );
}

const SYSTEM = 'sse';

type Destination = Pick<OfChannel, 'hub' | 'channel' | 'definition'>;

const destinationOf = ({ hub, channel, definition }: Destination): Attributes => ({
  'messaging.system': SYSTEM,
  'messaging.client.id': hub,
  'messaging.destination.name': channel,
  ...(definition !== undefined && { 'messaging.destination.template': definition }),
});

/** Channels have many names, so a span is named by the definition. */
const nameOf = (operation: string, definition: string | undefined): string =>
  definition === undefined ? operation : `${operation} ${definition}`;

function beginPublishing(tracer: Tracer, call: Publishing): Span {
  const { definition, type = 'message' } = call;
  return tracer.startSpan(nameOf('publish', definition), {
    kind: SpanKind.PRODUCER,
    attributes: {
      ...destinationOf(call),
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'sse.event.type': type,
    },
  });
}

function endPublishing(span: Span, { bytes, error, result }: Publishing): void {
  if (bytes !== undefined) span.setAttribute('messaging.message.body.size', bytes);
  if (result?.id) span.setAttribute('messaging.message.id', result.id);
  if (error !== undefined) {
    span.setAttribute('error.type', codeOf(error));
    span.recordException(error instanceof Error ? error : reasonOf(error));
    span.setStatus({ code: SpanStatusCode.ERROR, message: reasonOf(error) });
  }
  span.end();
}

interface Delivered extends Destination {
  readonly deliveries: number;
  readonly bytes: number;
  readonly duration: number;
  readonly lag: { readonly max: number } | undefined;
}

function spanOfDelivery(tracer: Tracer, traceparent: string, delivered: Delivered): void {
  const producer = spanContextOf(traceparent);
  const { bytes, definition, deliveries, duration, lag } = delivered;
  const now = Date.now();
  const options = {
    kind: SpanKind.CONSUMER,
    links: [{ context: producer }],
    startTime: now - duration,
    attributes: {
      ...destinationOf(delivered),
      'messaging.operation.name': 'deliver',
      'messaging.operation.type': 'process',
      'sse.deliveries': deliveries,
      'sse.delivered.size': bytes,
      ...(lag && { 'sse.delivery.lag': lag.max }),
    },
  };
  const parent = trace.setSpanContext(ROOT_CONTEXT, producer);
  tracer.startSpan(nameOf('deliver', definition), options, parent).end(now);
}

function endResponse(span: Span, { info }: ObservedConnection, reason: EndReason): void {
  span.setAttributes({ 'sse.end.reason': reason, 'url.path': info.path, 'sse.channels': [...info.channels] });
  if (FAULTS.has(reason)) span.setStatus({ code: SpanStatusCode.ERROR, message: reason });
  span.end();
}

/** Undefined for a span that is recorded here and not sampled: nobody would get the spans of its deliveries. */
function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): string | undefined {
  return traceFlags & TraceFlags.SAMPLED ? `00-${traceId}-${spanId}-01` : undefined;
}

function spanContextOf(traceparent: string): SpanContext {
  const [, traceId = '', spanId = ''] = traceparent.split('-');
  return { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true };
}
