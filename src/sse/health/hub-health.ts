import type { Connections } from '../http/connections.js';
import type { Drain, DrainPhase } from '../http/drain.js';
import type { BackplaneState, SseBackplane } from '../log/backplane.js';
import type { SseSettings } from '../sse.settings.js';

/** `degraded` serves and has less to give than usual; it is no reason to send clients elsewhere. */
export type HealthStatus = 'up' | 'degraded' | 'down';

/**
 * A fault of {@link ReadyHealth}.
 *
 * - `closing`: the application was told to close
 * - `backplane away`: new streams are turned away, and open ones get no events until it is back
 * - `backplane behind`: it was away, and open streams get now what they have missed
 * - `connections`, `channels`: at least nine tenths of that limit are used
 */
export type HealthReason = 'closing' | 'backplane away' | 'backplane behind' | 'connections' | 'channels';

/** The health of this process, at this moment. */
export interface HubHealth {
  readonly live: LiveHealth;
  readonly ready: ReadyHealth;
}

/** Whether the process should go on: a restart would not mend what only makes `ready` bad. */
export interface LiveHealth {
  /** `down` once the application is closed. */
  readonly status: 'up' | 'down';
}

/** Whether the process should get new clients. */
export interface ReadyHealth {
  /** `down` while the application closes, and when the backplane was away for longer than `health.awayGrace`. */
  readonly status: HealthStatus;
  /** The faults; none where the status is `up`. */
  readonly reasons: readonly HealthReason[];
  readonly phase: DrainPhase;
  readonly backplane: {
    readonly state: BackplaneState['kind'];
    /** For how many seconds it has been away, or open streams may have been without events; 0 where it is ready. */
    readonly seconds: number;
  };
  /** Open responses. */
  readonly connections: LimitUse;
  /** Channels that have a log. */
  readonly channels: LimitUse;
}

/** How much of a limit is used. */
export interface LimitUse {
  readonly used: number;
  /** Left out where there is none. */
  readonly limit?: number;
}

/** The part of a limit from which on it counts as near. */
const NEAR = 0.9;

/** Judges by what this process knows anyway. */
export class Health {
  constructor(
    private readonly backplane: Pick<SseBackplane, 'state' | 'stats'>,
    private readonly open: Pick<Connections, 'size'>,
    private readonly drain: Pick<Drain, 'phase'>,
    private readonly settings: Pick<SseSettings, 'limits' | 'health'>,
  ) {}

  report(): HubHealth {
    const { limits } = this.settings;
    const state = this.backplane.state();
    const { phase } = this.drain;
    const connections = use(this.open.size, limits.connections);
    const channels = use(this.backplane.stats().channels, limits.channels);
    const reasons: HealthReason[] = [];
    if (phase !== 'serving') reasons.push('closing');
    if (state.kind === 'away' || state.kind === 'behind') reasons.push(`backplane ${state.kind}`);
    if (isNear(connections)) reasons.push('connections');
    if (isNear(channels)) reasons.push('channels');
    const isDown = phase !== 'serving' || this.#isAwayForLong(state);
    const status = isDown ? 'down' : reasons.length > 0 ? 'degraded' : 'up';
    const backplane = { state: state.kind, seconds: Math.round(timeIn(state) / 100) / 10 };
    return {
      live: { status: state.kind === 'closed' ? 'down' : 'up' },
      ready: { status, reasons, phase, backplane, connections, channels },
    };
  }

  #isAwayForLong(state: BackplaneState): boolean {
    return state.kind === 'away' && timeIn(state) >= this.settings.health.awayGrace;
  }
}

/** Milliseconds that a state has lasted. */
const timeIn = (state: BackplaneState): number => ('since' in state ? performance.now() - state.since : 0);

const use = (used: number, limit: number): LimitUse => (limit === Infinity ? { used } : { used, limit });

const isNear = ({ used, limit = Infinity }: LimitUse): boolean => used >= limit * NEAR;
