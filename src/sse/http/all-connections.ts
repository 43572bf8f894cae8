import type { SseCluster } from '../cluster/cluster.js';
import type { OrderOutcome, Orders } from '../cluster/orders.js';
import { isEverywhere, type Reach, type ScatterGather } from '../cluster/scatter-gather.js';
import { checkObject } from '../validate.js';
import type { Admission } from './admission.js';
import type { ConnectionDetails, ConnectionFilter, ConnectionInfo, Connections } from './connections.js';

/** The open streams of all instances: what `hub.connections()` and `hub.disconnect()` are about. */
export class AllConnections {
  constructor(
    private readonly cluster: SseCluster,
    private readonly open: Connections,
    private readonly instances: ScatterGather,
    private readonly orders: Orders,
    admission: Admission,
  ) {
    instances.answer('connections', ({ filter }: { readonly filter: ConnectionFilter }) =>
      this.#detailsOf(filter),
    );
    orders.obey('disconnect', ({ filter }: { readonly filter: ConnectionFilter }, at) =>
      open.end(filter, at),
    );
    // Nobody knows which orders were missed: a client that comes back is asked anew who it is, and what it may have.
    orders.onMissed(() => open.endAll(() => admission.retry()));
  }

  /** How many are open in this process. */
  get size(): number {
    return this.open.size;
  }

  /** @throws SseError `INVALID_OPTIONS`; everywhere `BACKPLANE_AWAY`, `HUB_CLOSED` */
  async list(query: ConnectionFilter & Reach): Promise<ConnectionInfo[]> {
    checkObject(query, ['id', 'channel', 'user', 'everywhere'], 'hub.connections()');
    const { everywhere, ...filter } = query;
    const asksAll = isEverywhere({ everywhere });
    const here = this.#detailsOf(filter).map((details) => infoOf(details, this.cluster.instance));
    if (!asksAll) return here;
    const { answers } = await this.instances.ask<ConnectionDetails>('connections', { filter });
    const elsewhere = answers.flatMap(({ from, items }) => items.map((details) => infoOf(details, from)));
    return [...here, ...elsewhere];
  }

  /** @throws SseError `INVALID_OPTIONS`; `BACKPLANE_AWAY`, `HUB_CLOSED`: it was done in this process alone */
  disconnect(filter: ConnectionFilter): Promise<OrderOutcome> {
    // An id is on one instance only. JavaScript may give null, which is refused when it is done here.
    const isOfOne = (filter as ConnectionFilter | null)?.id !== undefined;
    return this.orders.give('disconnect', { filter }, isOfOne ? 'one' : 'all');
  }

  #detailsOf(filter: ConnectionFilter): ConnectionDetails[] {
    return this.open.matching(filter).map(({ info }) => info);
  }
}

/** A time of another instance comes as text. */
function infoOf(details: ConnectionDetails, instance: string): ConnectionInfo {
  return { ...details, connectedAt: new Date(details.connectedAt), instance };
}
