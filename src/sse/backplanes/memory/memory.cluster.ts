import { randomUUID } from 'node:crypto';
import { hubClosed } from '../../sse.errors.js';
import type { ClusterListener, OrderFollower, SseCluster } from '../../cluster/cluster.js';
import type { SseWills, Will } from '../../cluster/wills.js';
import { Followers, Listeners } from '../common/followers.js';

/** A wish for a lease, and the signal of its work. */
interface Candidate {
  readonly work: (signal: AbortSignal) => void;
  readonly controller: AbortController;
}

/** The state that the instances of one process share; a test has several instances. */
export class MemoryBus {
  /** The instances that have not closed. */
  readonly members = new Map<string, MemoryCluster>();
  /** Candidates for each lease, its holder first. */
  readonly queues = new Map<string, Candidate[]>();
  readonly wills = new Map<string, Will>();
}

/**
 * The cluster of one process. A single instance hears itself, and has every lease. No instance is ever away, so there
 * is no log of orders. An instance that is no member of the bus any more has closed.
 */
export class MemoryCluster implements SseCluster {
  readonly instance = randomUUID();
  readonly wills: SseWills;
  readonly #listeners = new Listeners();
  readonly #followers = new Followers<OrderFollower>();
  readonly #stops = new Set<() => void>();

  /** @param wills makes the wills of an instance, where they are kept elsewhere than in memory */
  constructor(
    private readonly bus = new MemoryBus(),
    wills = (instance: string): SseWills => new MemoryWills(instance, bus),
  ) {
    bus.members.set(this.instance, this);
    this.wills = wills(this.instance);
  }

  async broadcast(topic: string, message: unknown): Promise<void> {
    this.#checkOpen();
    const text = JSON.stringify(message);
    // As from another process: nobody shares the object, and nobody is told in the caller's turn.
    await Promise.resolve();
    for (const member of this.bus.members.values())
      member.#listeners.tell(topic, JSON.parse(text), this.instance);
  }

  listen(topic: string, listener: ClusterListener): () => void {
    return this.#isClosed ? () => undefined : this.#listeners.add(topic, listener);
  }

  lead(name: string, work: Candidate['work']): () => void {
    if (this.#isClosed) return () => undefined;
    const queue = this.bus.queues.get(name) ?? [];
    this.bus.queues.set(name, queue);
    const candidate = { work, controller: new AbortController() };
    if (queue.push(candidate) === 1) begin(candidate);
    const stop = (): void => {
      if (!this.#stops.delete(stop)) return;
      const place = queue.indexOf(candidate);
      queue.splice(place, 1);
      if (queue.length === 0) this.bus.queues.delete(name);
      else if (place === 0) begin(queue[0] as Candidate);
      candidate.controller.abort();
    };
    this.#stops.add(stop);
    return stop;
  }

  async order(order: unknown): Promise<void> {
    this.#checkOpen();
    const at = performance.now();
    const text = JSON.stringify(order);
    await Promise.resolve();
    for (const member of this.bus.members.values())
      member.#followers.tell((follower) => follower.given(JSON.parse(text), at, this.instance));
  }

  obey(follower: OrderFollower): () => void {
    return this.#isClosed ? () => undefined : this.#followers.add(follower);
  }

  async away(): Promise<readonly string[]> {
    this.#checkOpen();
    return [];
  }

  async instances(): Promise<readonly string[]> {
    this.#checkOpen();
    return [...this.bus.members.keys()];
  }

  async close(): Promise<void> {
    this.bus.members.delete(this.instance);
    this.#listeners.clear();
    this.#followers.clear();
    for (const stop of this.#stops) stop();
  }

  get #isClosed(): boolean {
    return !this.bus.members.has(this.instance);
  }

  #checkOpen(): void {
    if (this.#isClosed) throw hubClosed();
  }
}

/** Begins in a later turn, as if a server had to be asked. The lease may be given back by then. */
function begin({ work, controller }: Candidate): void {
  queueMicrotask(() => {
    if (!controller.signal.aborted) work(controller.signal);
  });
}

/** Wills in memory. They end with the process, and so does everybody who could carry them out. */
class MemoryWills implements SseWills {
  constructor(
    private readonly instance: string,
    private readonly bus: MemoryBus,
  ) {}

  async leave(id: string, text: string): Promise<void> {
    this.#wills.set(id, { instance: this.instance, id, text });
  }

  async isThere(id: string): Promise<boolean> {
    return this.#wills.has(id);
  }

  async remove(id: string): Promise<void> {
    this.#wills.delete(id);
  }

  async orphaned(): Promise<readonly Will[]> {
    return [...this.#wills.values()].filter(({ instance }) => !this.bus.members.has(instance));
  }

  get #wills(): Map<string, Will> {
    if (!this.bus.members.has(this.instance)) throw hubClosed();
    return this.bus.wills;
  }
}
