import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { orderMissed, orderObeyed } from '../diagnostics/diagnostics.js';
import type { SseCluster } from './cluster.js';
import { withTimeout } from '../with-timeout.js';
import { ANSWER_TIME } from './scatter-gather.js';

/*
 * Orders hold on all instances, also on those that are away when one is given: the cluster keeps them in a log. An
 * order concerns only what was open, or being decided, when it was given, so it does no harm to read one late or twice.
 *
 * A feature that obeys orders about a subject registers for it at the start: `orders.obey('disconnect', …)`. The instance
 * that gives an order { id, about, … } carries it out itself first. Each other one broadcasts { id, ended } when it
 * has, and the giver waits up to a second for the reports of those that are there.
 */

interface Order {
  readonly id: string;
  readonly about: string;
}

interface Report {
  readonly id: string;
  readonly ended: number;
}

/** The outcome of an order, as far as the instances have said so within a second. */
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

/**
 * Carries an order out on this instance, as of the moment `at` at which it was given (`performance.now()`).
 *
 * @returns how many streams it was done to
 */
type Obeying = (order: never, at: number) => number;

/** Gives orders to all instances, and obeys those that others give. */
export class Orders {
  readonly #obeying = new Map<string, Obeying>();
  /** By the id of an order of this instance: hears the reports that it waits for. */
  readonly #waiting = new Map<string, (from: string, ended: number) => void>();
  readonly #logger = new Logger('SseHub');
  #missed = (): void => undefined;

  constructor(private readonly cluster: SseCluster) {
    cluster.listen(REPORTS, (report, from) => {
      const { id, ended } = report as Report;
      this.#waiting.get(id)?.(from, ended);
    });
    cluster.obey({
      given: (order, at, from) => {
        if (from !== cluster.instance) this.#carryOut(order as Order, at, from);
      },
      missed: () => {
        if (orderMissed.hasSubscribers) orderMissed.publish({ hub: cluster.instance });
        this.#missed();
      },
    });
  }

  /** Carries out the orders about a subject, from the start on. */
  obey(about: string, obeying: Obeying): void {
    this.#obeying.set(about, obeying);
  }

  /** Calls this when orders of the others may have been lost, nobody knows which. */
  onMissed(missed: () => void): void {
    this.#missed = missed;
  }

  /**
   * @param extent `'one'` if at most one instance has anything to do: if this one had, the others are not told
   * @throws SseError `BACKPLANE_AWAY`, `HUB_CLOSED`: it was carried out on this instance alone. Also whatever the room
   * throws that obeys such orders
   */
  async give(about: string, deed: object, extent: 'all' | 'one' = 'all'): Promise<OrderOutcome> {
    const order: Order = { ...deed, about, id: randomUUID() };
    const ended = this.#do(order, performance.now(), this.cluster.instance);
    if (extent === 'one' && ended > 0) return { ended, away: [] };
    const reports = new Map([[this.cluster.instance, ended]]);
    let changed = (): void => undefined;
    this.#waiting.set(order.id, (from, count) => {
      reports.set(from, count);
      changed();
    });
    try {
      await this.cluster.order(order);
      const [there, away] = await Promise.all([this.cluster.instances(), this.cluster.away()]);
      const haveAll = (): boolean => there.every((instance) => reports.has(instance));
      // An application of one instance sets no timer.
      if (!haveAll()) {
        const reported = new Promise<void>((resolve) => {
          changed = () => {
            if (haveAll()) resolve();
          };
        });
        await withTimeout(reported, ANSWER_TIME, () => undefined);
      }
      return {
        ended: [...reports.values()].reduce((sum, count) => sum + count, 0),
        away: [...there, ...away].filter((instance) => !reports.has(instance)),
      };
    } finally {
      this.#waiting.delete(order.id);
    }
  }

  #carryOut(order: Order, at: number, from: string): void {
    let ended: number;
    try {
      ended = this.#do(order, at, from);
    } catch (error) {
      // Without a report the giver counts this instance as away. A newer version may order something unknown.
      this.#logger.warn(`An order of another instance cannot be obeyed: ${String(error)}`);
      return;
    }
    this.cluster.broadcast(REPORTS, { id: order.id, ended } satisfies Report).catch(() => undefined);
  }

  #do(order: Order, at: number, from: string): number {
    const obeying = this.#obeying.get(order.about);
    if (!obeying) throw new Error(`It is about ${order.about}.`);
    const streams = obeying(order as never, at);
    const { about } = order;
    if (orderObeyed.hasSubscribers) orderObeyed.publish({ hub: this.cluster.instance, about, from, streams });
    return streams;
  }
}
