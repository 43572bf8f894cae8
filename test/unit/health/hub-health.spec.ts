import { describe, expect, it } from '@jest/globals';
import type { BackplaneState, DrainPhase } from '../../../src/sse/index.js';
import { Health } from '../../../src/sse/health/hub-health.js';
import type { HealthOptions } from '../../../src/sse/index.js';
import { moduleSettings } from '../../../src/sse/sse.settings.js';

interface Facts {
  readonly state?: BackplaneState;
  readonly phase?: DrainPhase;
  readonly connections?: number;
  readonly channels?: number;
  readonly limit?: number;
  readonly health?: HealthOptions;
}

function healthOf({ state, phase, connections, channels, limit = 100, health }: Facts) {
  const stats = { channels: channels ?? 0, historyEvents: 0, historyBytes: 0 };
  return new Health(
    { state: () => state ?? { kind: 'ready' }, stats: () => stats },
    { size: connections ?? 0 },
    { phase: phase ?? 'serving' },
    moduleSettings({ limits: { connections: limit, channels: limit }, health: health ?? {} }),
  ).report();
}

const ready = (facts: Facts) => {
  const { status, reasons } = healthOf(facts).ready;
  return [status, ...reasons];
};

const ago = (milliseconds: number) => performance.now() - milliseconds;

describe('ready', () => {
  it('is up, with the facts that it was judged by', () => {
    expect(healthOf({ connections: 3, channels: 2 })).toEqual({
      live: { status: 'up' },
      ready: {
        status: 'up',
        reasons: [],
        phase: 'serving',
        backplane: { state: 'ready', seconds: 0 },
        connections: { used: 3, limit: 100 },
        channels: { used: 2, limit: 100 },
      },
    });
  });

  it('is degraded near a limit, and at it, where clients are turned away by the instance itself', () => {
    expect(ready({ connections: 89, channels: 89 })).toEqual(['up']);
    expect(ready({ connections: 90 })).toEqual(['degraded', 'connections']);
    expect(ready({ channels: 100 })).toEqual(['degraded', 'channels']);
  });

  it('names no limit where there is none, as JSON has no Infinity', () => {
    const { status, connections } = healthOf({ connections: 1_000_000, limit: Infinity }).ready;
    expect([status, connections]).toEqual(['up', { used: 1_000_000 }]);
  });

  it('is degraded while the backplane is behind, however long', () => {
    const facts = { state: { kind: 'behind', since: ago(100_000) } } as const;
    expect(ready(facts)).toEqual(['degraded', 'backplane behind']);
    expect(healthOf(facts).ready.backplane).toEqual({ state: 'behind', seconds: 100 });
  });

  it('is degraded while the backplane is away, and down after awayGrace', () => {
    const away = (milliseconds: number): BackplaneState => ({ kind: 'away', since: ago(milliseconds) });
    expect(ready({ state: away(29_000) })).toEqual(['degraded', 'backplane away']);
    expect(ready({ state: away(30_000) })).toEqual(['down', 'backplane away']);
    expect(ready({ state: away(0), health: { awayGrace: 0 } })).toEqual(['down', 'backplane away']);
    const never = { awayGrace: Infinity };
    expect(ready({ state: away(1_000_000), health: never })).toEqual(['degraded', 'backplane away']);
  });

  it('is down from the first moment of closing, with all other faults', () => {
    for (const phase of ['announced', 'draining'] as const)
      expect(ready({ phase, connections: 100 })).toEqual(['down', 'closing', 'connections']);
  });
});

describe('live', () => {
  it('is up whatever a restart would not mend, and down only when the hub is closed', () => {
    const away: BackplaneState = { kind: 'away', since: ago(1_000_000) };
    for (const facts of [{ state: away }, { phase: 'draining' }, { connections: 100 }] as const)
      expect(healthOf(facts).live).toEqual({ status: 'up' });
    expect(healthOf({ phase: 'draining', state: { kind: 'closed' } }).live).toEqual({ status: 'down' });
  });
});
