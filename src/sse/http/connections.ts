import type { SseCluster } from '../cluster/cluster.js';
import type { OrderOutcome, Orders } from '../cluster/orders.js';
import { isEverywhere, type Reach, type ScatterGather } from '../cluster/scatter-gather.js';
import type { ConnectionDetails } from '../connection-details.js';
import { SparseLog } from '../sparse-log.js';
import { checkObject, stringOf } from '../validate.js';
import type { Admission } from './admission.js';
import type { ConnectionDiagnostics } from './connection-diagnostics.js';
import type { ConnectionFeatures } from './connection-part.js';
import type { Heartbeat } from './heartbeat.js';
import type { SseConnection } from './sse-connection.js';

/** An open stream, as `hub.connections()` tells of it. */
export interface ConnectionInfo extends ConnectionDetails {
  /** The instance of the application that it is on. */
  readonly instance: string;
}

/** Selects connections: all given fields must match. An empty filter selects all. */
export interface ConnectionFilter {
  readonly id?: string;
  readonly channel?: string;
  /** A user, as `identify` names it. */
  readonly user?: string;
}

/** A question of another instance, or an order. */
interface Asked {
  readonly filter: ConnectionFilter;
}

/** Filters that one connection may wait with; with more it is ended without waiting. */
const MAX_WAITING = 100;

/**
 * The open streams of this process, with the features that take part in them. It lists and ends those of other instances, too,
 * through the cluster. Each counts
 * from the moment in which it is let in, so there are some of which it is not known yet who they belong to.
 */
export class Connections {
  readonly #all = new Set<SseConnection>();
  /** For lines about connections: strangers open as many as they like. */
  readonly log = new SparseLog();
  /** Connections of which it is not known yet whether they match, with the filters of those that are to end. */
  readonly #waiting = new Map<SseConnection, ConnectionFilter[]>();

  constructor(
    private readonly heartbeat: Heartbeat,
    readonly features: ConnectionFeatures,
    readonly diagnostics: ConnectionDiagnostics,
    admission: Admission,
    private readonly instances: ScatterGather,
    private readonly orders: Orders,
    private readonly cluster: SseCluster,
  ) {
    instances.answer('connections', ({ filter }: Asked) => this.#detailsOf(filter));
    orders.obey('disconnect', ({ filter }: Asked, at) => this.#end(filter, at));
    // Nobody knows which orders were missed: a client that comes back is asked anew who it is, and what it may have.
    orders.onMissed(() => {
      for (const connection of [...this.#all]) connection.end('disconnected', admission.retry());
    });
  }

  get size(): number {
    return this.#all.size;
  }

  add(connection: SseConnection): void {
    this.#all.add(connection);
    this.diagnostics.began(connection);
    this.heartbeat.add(connection);
  }

  /** @returns whether it was let in */
  delete(connection: SseConnection): boolean {
    this.#waiting.delete(connection);
    this.heartbeat.delete(connection);
    return this.#all.delete(connection);
  }

  /** It is known now who a connection belongs to, and what it streams. */
  opened(connection: SseConnection): void {
    if (!this.#all.has(connection)) return; // a client that is turned away gets a response, too
    this.diagnostics.opened(connection);
    const filters = this.#waiting.get(connection);
    if (!filters) return;
    this.#waiting.delete(connection);
    if (filters.some((filter) => matches(connection, filter))) connection.end('disconnected');
  }

  /**
   * Tells of the open streams of this process, or of all instances.
   *
   * @throws SseError `INVALID_OPTIONS`; everywhere `BACKPLANE_AWAY`, `HUB_CLOSED`
   */
  async list(query: ConnectionFilter & Reach): Promise<ConnectionInfo[]> {
    checkObject(query, ['id', 'channel', 'user', 'everywhere'], 'hub.connections()');
    const { everywhere, ...filter } = query;
    const asksAll = isEverywhere({ everywhere });
    const here = { from: this.cluster.instance, items: this.#detailsOf(filter) };
    const others = asksAll
      ? await this.instances.ask<ConnectionDetails>('connections', { filter })
      : undefined;
    return [here, ...(others?.answers ?? [])].flatMap(({ from, items }) =>
      // A time of another instance comes as text.
      items.map((one) => ({ ...one, connectedAt: new Date(one.connectedAt), instance: from })),
    );
  }

  /**
   * Ends the open streams that match, on all instances.
   *
   * @throws SseError `INVALID_OPTIONS`; `BACKPLANE_AWAY`, `HUB_CLOSED`: it was done in this process alone
   */
  disconnect(filter: ConnectionFilter): Promise<OrderOutcome> {
    // An id is on one instance only. (JavaScript may give null, which matching() refuses.)
    const isOfOne = (filter as ConnectionFilter | null)?.id !== undefined;
    return this.orders.give('disconnect', { filter }, isOfOne ? 'one' : 'all');
  }

  /**
   * Ends those that match and had begun by then. Where it is not known yet whether one matches, it is ended when that
   * is known.
   *
   * @param at `performance.now()`
   * @returns how many were ended
   * @throws SseError `INVALID_OPTIONS`
   */
  #end(filter: ConnectionFilter, at: number): number {
    const ended = new Set(this.matching(filter).filter(({ beganAt }) => beganAt <= at));
    for (const connection of [...this.#all]) {
      if (ended.has(connection)) connection.end('disconnected');
      else if (!connection.isOpen && connection.beganAt <= at) this.#wait(connection, filter);
    }
    return ended.size;
  }

  #wait(connection: SseConnection, filter: ConnectionFilter): void {
    const filters = this.#waiting.get(connection) ?? [];
    if (filters.push(filter) > MAX_WAITING) connection.end('disconnected');
    else this.#waiting.set(connection, filters);
  }

  /** @throws SseError `INVALID_OPTIONS` for a filter with a wrong value: it must not match every connection */
  matching(filter: ConnectionFilter): SseConnection[] {
    checkObject(filter, ['id', 'channel', 'user'], 'A filter of connections');
    for (const [name, value] of Object.entries(filter)) stringOf(name, value);
    return [...this.#all].filter((connection) => matches(connection, filter));
  }

  #detailsOf(filter: ConnectionFilter): ConnectionDetails[] {
    return this.matching(filter).map(({ info }) => info);
  }
}

function matches(connection: SseConnection, { id, channel, user }: ConnectionFilter): boolean {
  return (
    (id === undefined || connection.hasId(id)) &&
    (channel === undefined || connection.hasOrAwaits(channel)) &&
    (user === undefined || connection.identity?.user === user)
  );
}
