import { listenTo } from '../diagnostics/listen.js';
import type { EndReason, ReachableState, RefusingLimit } from '../diagnostics/messages.js';
import type { HubStats } from '../sse-hub.js';
import type { Labels, NameOf } from './instruments.js';

/** Takes measurements. It does not throw. */
export interface Meter {
  add(name: NameOf<'counter'>, value: number, labels?: Labels): void;
  /** @param seconds at least 0 */
  record(name: NameOf<'histogram'>, seconds: number, labels?: Labels): void;
}

/** Values that are read when metrics are collected. */
export type Observation = readonly [name: NameOf<'gauge' | 'total'>, value: number, labels?: Labels];

/** The label of channels that no definition matches. */
const of = (definition: string | undefined): { readonly definition: string } => ({
  definition: definition ?? 'none',
});

const seconds = (milliseconds: number): number => Math.max(0, milliseconds) / 1_000;

/**
 * Measures one hub from now on.
 *
 * @param hub `SseCluster.instance`
 * @returns ends it
 */
export function measure(hub: string, meter: Meter): () => void {
  for (const [name, label, values] of KNOWN)
    for (const value of values) meter.add(name, 0, { [label]: value });
  return listenTo(
    {
      'connection:opened': ({ duration, isResumed }) => {
        meter.add('sse.connections.opened', 1, { start: isResumed ? 'resumed' : 'new' });
        meter.record('sse.connection.open.duration', seconds(duration));
      },
      'connection:ended': ({ reason }) => meter.add('sse.connections.ended', 1, { reason }),
      'connection:refused': ({ limit }) => meter.add('sse.connections.refused', 1, { limit }),
      'connection:backed-up': () => meter.add('sse.connections.backed_up', 1),
      'stream:gap': ({ definition, reason }) => meter.add('sse.gaps', 1, { ...of(definition), reason }),
      'stream:denied': ({ definition, reason }) => meter.add('sse.denials', 1, { ...of(definition), reason }),
      'channel:delivered': ({ definition, deliveries, bytes, replayed, lag }) => {
        const labels = of(definition);
        meter.add('sse.events.delivered', deliveries, labels);
        meter.add('sse.delivered', bytes, labels);
        if (replayed > 0) meter.add('sse.events.replayed', replayed, labels);
        if (lag) meter.record('sse.delivery.lag', seconds(lag.max), labels);
      },
      'channel:published': ({ definition, published, failures, duration }) => {
        const labels = of(definition);
        meter.record('sse.publish.duration', seconds(duration.max), labels);
        if (published > 0) meter.add('sse.events.published', published, labels);
        for (const [code, count] of failures) meter.add('sse.publish.failures', count, { ...labels, code });
      },
      'hook:failed': ({ definition, hook }) => meter.add('sse.hooks.failed', 1, { ...of(definition), hook }),
      'pipe:ended': ({ definition, published }) => {
        const outcome = published === undefined ? 'failed' : 'completed';
        meter.add('sse.pipes.ended', 1, { ...of(definition), outcome });
      },
      'order:obeyed': ({ about }) => meter.add('sse.orders.obeyed', 1, { about }),
      'order:missed': () => meter.add('sse.orders.missed', 1),
      'backplane:changed': ({ before, state }) => {
        if (before === 'away') meter.add('sse.backplane.reconnects', 1);
        if (before === 'behind' && state === 'ready') meter.add('sse.backplane.catch_ups', 1);
      },
    },
    hub,
  );
}

/** What is there now. */
export function* observe(stats: HubStats): Generator<Observation> {
  yield ['sse.connections.active', stats.connections];
  yield ['sse.publish.resent', stats.resent];
  yield ['sse.logs', stats.channels];
  yield ['sse.history.events', stats.historyEvents];
  yield ['sse.history.size', stats.historyBytes];
  for (const state of Object.keys(STATES))
    yield ['sse.backplane.state', stats.backplane === state ? 1 : 0, { state }];
  for (const { definition, channels, subscribers, members, pipes } of stats.definitions) {
    yield ['sse.channels.active', channels, of(definition)];
    yield ['sse.subscribers', subscribers, of(definition)];
    yield ['sse.members', members, of(definition)];
    yield ['sse.pipes.active', pipes, of(definition)];
  }
}

const STATES: Readonly<Record<ReachableState, true>> = { ready: true, behind: true, away: true };

const REASONS: Readonly<Record<EndReason, true>> = {
  completed: true,
  failed: true,
  client: true,
  slow: true,
  overflow: true,
  gap: true,
  expired: true,
  revoked: true,
  disconnected: true,
  age: true,
  shutdown: true,
  refused: true,
};

const LIMITS: Readonly<Record<RefusingLimit, true>> = {
  connections: true,
  connectionsPerKey: true,
  connectionsPerSecond: true,
  shutdown: true,
};

/** Series that begin at 0, so that the first of a kind is seen as an increase. */
const KNOWN: readonly (readonly [name: NameOf<'counter'>, label: string, values: readonly string[]])[] = [
  ['sse.connections.opened', 'start', ['new', 'resumed']],
  ['sse.connections.ended', 'reason', Object.keys(REASONS)],
  ['sse.connections.refused', 'limit', Object.keys(LIMITS)],
];
