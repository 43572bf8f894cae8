import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { SseSettings } from '../sse.settings.js';
import type { SseCluster } from './cluster.js';
import type { ConnectionFilter, Connections } from '../http/connections.js';
import { ANSWER_TIME } from './scatter-gather.js';

/** What all instances are to do. */
export type OrderedDeed =
  | { readonly about: 'disconnect'; readonly filter: ConnectionFilter }
  | { readonly about: 'revoke'; readonly user: string; readonly channel: string };

type Order = OrderedDeed & { readonly id: string };

/** Says that an instance has done what an order says. */
interface Report {
  readonly id: string;
  readonly ended: number;
}

/** What has come of an order, as far as the instances have said so within a second. */
export interface OrderOutcome {
  /** How many streams were ended, or had the channel taken away. */
  readonly ended: number;
  /**
   * Instances that have not said so. One that has lost its connection to the others obeys when it is back, before it
   * sends anything else to its clients; one that has ended without a goodbye is on this list for five minutes.
   */
  readonly away: readonly string[];
}

const REPORTS = 'sse-orders';

interface Waiting {
  readonly reports: Map<string, number>;
  changed: () => void;
}

/**
 * Orders that hold on all instances, also on those that are away when one is given. An order is about what was
 * open, or being decided, when it was given; so it does no harm that one may be read late, or twice.
 */
export class Orders {
  readonly #waiting = new Map<string, Waiting>();
  readonly #logger = new Logger('SseHub');

  constructor(
    private readonly cluster: SseCluster,
    private readonly open: Connections,
    private readonly settings: Pick<SseSettings, 'retry' | 'shutdown'>,
  ) {
    cluster.listen(REPORTS, (report, from) => this.#hear(report as Report, from));
    cluster.obey({
      given: (order, at, from) => {
        if (from !== cluster.instance) this.#obey(order as Order, at);
      },
      missed: () => this.#missed(),
    });
  }

  /** @throws SseError `INVALID_OPTIONS`; `BACKPLANE_AWAY`, `HUB_CLOSED`: it was done on this instance alone */
  async give(deed: OrderedDeed): Promise<OrderOutcome> {
    const ended = this.#do(deed, performance.now());
    // An id is on one instance only.
    if (deed.about === 'disconnect' && deed.filter.id !== undefined && ended > 0) return { ended, away: [] };
    const id = randomUUID();
    const waiting: Waiting = { reports: new Map([[this.cluster.instance, ended]]), changed: () => undefined };
    this.#waiting.set(id, waiting);
    try {
      await this.cluster.order({ ...deed, id } satisfies Order);
      const [there, away] = await Promise.all([this.cluster.instances(), this.cluster.away()]);
      await untilReported(waiting, there);
      const { reports } = waiting;
      return {
        ended: [...reports.values()].reduce((sum, count) => sum + count, 0),
        away: [...there, ...away].filter((instance) => !reports.has(instance)),
      };
    } finally {
      this.#waiting.delete(id);
    }
  }

  #obey(order: Order, at: number): void {
    let ended: number;
    try {
      ended = this.#do(order, at);
    } catch (error) {
      // Perhaps a newer version orders what this one cannot do. Who gave it is told nothing.
      this.#logger.warn(`An order of another instance cannot be obeyed: ${String(error)}`);
      return;
    }
    this.cluster.broadcast(REPORTS, { id: order.id, ended } satisfies Report).catch(() => undefined);
  }

  /** @returns how many streams it was done to */
  #do(deed: OrderedDeed, at: number): number {
    switch (deed.about) {
      case 'disconnect':
        return this.open.end(deed.filter, at);
      case 'revoke':
        return this.open
          .matching({ user: deed.user })
          .filter(({ access }) => access?.revoke(deed.channel, at)).length;
      default:
        throw new Error(`It is about ${String((deed as { about: unknown }).about)}.`);
    }
  }

  #hear({ id, ended }: Report, from: string): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return; // another's order, or one that is not waited for any more
    waiting.reports.set(from, ended);
    waiting.changed();
  }

  /** Nobody knows which orders: who comes back is asked who they are, and what they may have. */
  #missed(): void {
    const { retry, shutdown } = this.settings;
    this.open.endAll(() => retry + Math.floor(Math.random() * shutdown.spread));
  }
}

/** Resolves when all of them have reported, at the latest after {@link ANSWER_TIME}. */
async function untilReported(waiting: Waiting, instances: readonly string[]): Promise<void> {
  const isDone = (): boolean => instances.every((instance) => waiting.reports.has(instance));
  if (isDone()) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ANSWER_TIME);
    waiting.changed = () => {
      if (!isDone()) return;
      clearTimeout(timer);
      resolve();
    };
  });
}
