import { randomUUID } from 'node:crypto';
import { hubClosed } from '../../sse.errors.js';
import type { ClusterListener, OrderFollower, SseCluster } from '../../cluster/cluster.js';
import type { SseWills, Will } from '../../cluster/wills.js';
import { Followers, Listeners } from '../common/followers.js';
import { MemoryWills } from './memory.wills.js';

/** An instance that has not closed. */
interface Member {
  readonly listeners: Listeners;
  /** None is ever away, so there is no log of orders. */
  readonly followers: Followers<OrderFollower>;
}

/** A wish for a lease, and the signal of its work. */
interface Candidate {
  readonly work: (signal: AbortSignal) => void;
  readonly controller: AbortController;
}

/** The state that the instances of one process share; a test has several instances. */
export class MemoryBus {
  readonly members = new Map<string, Member>();
  /** Candidates for each lease, its holder first. */
  readonly queues = new Map<string, Candidate[]>();
  readonly wills = new Map<string, Will>();
}

/** The cluster of a single instance: it hears itself, and has every lease. It has closed when it is no member. */
export class MemoryCluster implements SseCluster {
  readonly instance = randomUUID();
  readonly wills: SseWills;
  readonly #listeners = new Listeners();
  readonly #followers = new Followers<OrderFollower>();
  readonly #stops = new Set<() => void>();

  /** @param wills keeps those of this instance elsewhere than in memory */
  constructor(
    private readonly bus = new MemoryBus(),
    wills = (instance: string): SseWills => new MemoryWills(instance, bus),
  ) {
    bus.members.set(this.instance, { listeners: this.#listeners, followers: this.#followers });
    this.wills = wills(this.instance);
  }

  async broadcast(topic: string, message: unknown): Promise<void> {
    this.#checkOpen();
    const text = JSON.stringify(message);
    // As it would be if it came from elsewhere: nobody shares the object, and nobody is told in the caller's turn.
    await Promise.resolve();
    for (const { listeners } of this.bus.members.values())
      listeners.tell(topic, JSON.parse(text), this.instance);
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
    for (const { followers } of this.bus.members.values())
      followers.tell((follower) => follower.given(JSON.parse(text), at, this.instance));
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

/** In a later turn, as it would be if a server had to be asked. By then it may be over. */
function begin({ work, controller }: Candidate): void {
  queueMicrotask(() => {
    if (!controller.signal.aborted) work(controller.signal);
  });
}
