import type { HotChannelCost } from './hot-channel.js';
import type { RestartOutcome } from './restart.js';
import { EVENTS_A_SECOND, READ_RATES, type GapShares } from './slow-clients.js';
import { chartOf } from './svg.js';

/** Seconds of a restart that are shown. */
const SHOWN = 36;

/** The clients that are let in again, by what was done about it. */
export function restartChart(outcomes: Readonly<Record<string, RestartOutcome>>): string {
  return chartOf({
    title: 'A fleet restarts',
    x: { title: 'seconds after the instances have ended', ticks: range(0, SHOWN, 4) },
    y: { title: 'clients that open a stream in each second, in percent', ticks: range(0, 100, 20) },
    isStepped: true,
    series: Object.entries(outcomes).map(([title, { letIn }]) => ({
      title,
      points: letIn.slice(0, SHOWN + 1).map((share, second) => [second, share] as const),
    })),
  });
}

export function slowClientsChart(shares: GapShares): string {
  return chartOf({
    title: 'Slow clients',
    x: { title: 'how fast they read, in percent of what is published', ticks: range(0, 200, 20) },
    y: { title: 'clients with a gap, in percent', ticks: range(0, 100, 20) },
    series: [...shares].map(([history, some]) => ({
      title: `history of ${history} events: ${history / EVENTS_A_SECOND} seconds`,
      points: some.map((share, i) => [READ_RATES[i]!, share] as const),
    })),
  });
}

export function hotChannelChart(costs: readonly HotChannelCost[]): string {
  return chartOf({
    title: 'A channel that all instances stream',
    x: { title: 'instances', ticks: range(0, 50, 10) },
    y: { title: 'kB that Redis sends for an event of 200 characters', ticks: range(0, 20, 5) },
    series: [
      {
        title: 'one channel',
        points: costs.map(({ instances, bytesOut }) => [instances, bytesOut / 1_000] as const),
      },
    ],
  });
}

const range = (from: number, to: number, step: number): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);
