/*
 * The metrics of the package, whoever collects them: Prometheus (metrics/) and OpenTelemetry (opentelemetry/) have the
 * same ones. The names are OpenTelemetry's form. Prometheus' are made of them as an OpenTelemetry exporter makes them, so
 * that a dashboard is right for both.
 *
 * Every label has few values: a definition's pattern, a reason, a code. Names of channels, users and paths are none.
 */

interface Described<Kind extends string> {
  readonly kind: Kind;
  /** UCUM; in braces what is counted. */
  readonly unit: string;
  readonly description: string;
  readonly labels: readonly string[];
}

const described =
  <Kind extends string>(kind: Kind) =>
  (unit: string, description: string, ...labels: readonly string[]): Described<Kind> => ({
    kind,
    unit,
    description,
    labels,
  });

/** Only grows. */
const counter = described('counter');
/** Only grows, and is read when metrics are collected. */
const total = described('total');
/** Read when metrics are collected. */
const gauge = described('gauge');
/** Seconds, in {@link BUCKETS}. */
const histogram = described('histogram');

export const INSTRUMENTS = {
  'sse.connections.active': gauge('{connection}', 'Open responses.'),
  'sse.connections.opened': counter('{connection}', 'Responses whose head was sent.', 'start'),
  'sse.connections.ended': counter('{connection}', 'Responses that are over, by reason.', 'reason'),
  'sse.connections.refused': counter('{connection}', 'Clients that were turned away by a limit.', 'limit'),
  'sse.connections.backed_up': counter('{time}', 'Times that a client did not take what was written.'),
  'sse.connection.open.duration': histogram('s', 'Time from letting a response in to its head.'),
  'sse.channels.active': gauge('{channel}', 'Channels that are streamed.', 'definition'),
  'sse.subscribers': gauge('{subscriber}', 'Streams that read a channel.', 'definition'),
  'sse.members': gauge('{member}', 'Members with a connection to this instance.', 'definition'),
  'sse.events.published': counter(
    '{event}',
    'Events that were published. One that was sent again by its publishId counts again.',
    'definition',
  ),
  'sse.publish.failures': counter(
    '{call}',
    'Calls of publish() and emit() that failed.',
    'definition',
    'code',
  ),
  'sse.publish.duration': histogram(
    's',
    'Time that the slowest publish() in 10 ms took, also where it failed.',
    'definition',
  ),
  'sse.publish.resent': total('{call}', 'Calls that were sent to the server of the backplane again.'),
  'sse.events.delivered': counter('{event}', 'Events handed on; each counts for each stream.', 'definition'),
  'sse.events.replayed': counter(
    '{event}',
    'Those of them that were there before their stream.',
    'definition',
  ),
  'sse.delivered': counter('By', 'Size of the events handed on; each stream counts.', 'definition'),
  'sse.delivery.lag': histogram(
    's',
    'Time from publishing to writing of the oldest event that was handed on in 10 ms, without replays.',
    'definition',
  ),
  'sse.gaps': counter('{gap}', 'Gaps that clients were told of.', 'definition', 'reason'),
  'sse.denials': counter('{denial}', 'Channels that clients did not get, or lost.', 'definition', 'reason'),
  'sse.hooks.failed': counter('{call}', 'Hooks of the application that failed.', 'definition', 'hook'),
  'sse.pipes.active': gauge('{pipe}', 'Sources that are piped.', 'definition'),
  'sse.pipes.ended': counter('{pipe}', 'Pipes that are over.', 'definition', 'outcome'),
  'sse.orders.obeyed': counter('{order}', 'Orders that were carried out on this instance.', 'about'),
  'sse.orders.missed': counter('{time}', 'Times that orders of other instances may have been missed.'),
  'sse.logs': gauge('{log}', 'Channels that have a log.'),
  'sse.history.events': gauge('{event}', 'Events in the logs; with Redis or NATS in the local copies.'),
  'sse.history.size': gauge('By', 'Size of these events.'),
  'sse.backplane.state': gauge('1', '1 for the state that the backplane is in, 0 for the others.', 'state'),
  'sse.backplane.reconnects': counter('{time}', 'Times that the backplane was reached again.'),
  'sse.backplane.catch_ups': counter('{time}', 'Times that all followed logs were up to date again.'),
} as const;

type Instruments = typeof INSTRUMENTS;

/** The names of the instruments of some kinds. */
export type NameOf<Kind extends Instruments[keyof Instruments]['kind']> = {
  [Name in keyof Instruments]: Instruments[Name]['kind'] extends Kind ? Name : never;
}[keyof Instruments];

export type Labels = Readonly<Record<string, string>>;

/** The upper bounds of all histograms, in seconds. */
export const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

/** The end of names that Prometheus gives a unit. */
const UNITS: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

/** The name that Prometheus has for an instrument. */
export function prometheusName(name: keyof Instruments): string {
  const { kind, unit } = INSTRUMENTS[name];
  const end = kind === 'counter' || kind === 'total' ? '_total' : '';
  return name.replaceAll('.', '_') + (UNITS[unit] ?? '') + end;
}
