import { randomUUID } from 'node:crypto';
import { hubClosed } from '../../sse.errors.js';
import type { ClusterListener, OrderFollower, SseCluster } from '../../cluster/cluster.js';
import type { SseWills, Will } from '../../cluster/wills.js';
import { Listeners } from '../common/followers.js';
import { MemoryWills } from './memory.wills.js';

/** One who asked for a lease, and the signal of its work. */
interface Candidate {
  readonly work: (signal: AbortSignal) => void;
  readonly controller: AbortController;
}

type ClosableWills = SseWills & { close?(): void };

/** What the instances of one process share; a test has several. */
export class MemoryBus {
  readonly members = new Map<string, Listeners>();
  /** Who obeys orders, by instance. None is ever away, so there is no log of them. */
  readonly followers = new Map<string, Set<OrderFollower>>();
  /** Who asks for each lease, its holder first. */
  readonly queues = new Map<string, Candidate[]>();
  readonly wills = new Map<string, Will>();
}

/** The cluster of a single instance: it hears itself, and has every lease. */
export class MemoryCluster implements SseCluster {
  readonly instance = randomUUID();
  readonly wills: ClosableWills;
  readonly #listeners = new Listeners();
  readonly #followers = new Set<OrderFollower>();
  readonly #stops = new Set<() => void>();
  #isClosed = false;

  /** @param wills keeps those of this instance elsewhere than in memory */
  constructor(
    private readonly bus = new MemoryBus(),
    wills = (instance: string): ClosableWills =>
      new MemoryWills(instance, bus.wills, (name) => bus.members.has(name)),
  ) {
    bus.members.set(this.instance, this.#listeners);
    this.wills = wills(this.instance);
    bus.followers.set(this.instance, this.#followers);
  }

  async broadcast(topic: string, message: unknown): Promise<void> {
    this.#refuseClosed();
    const text = JSON.stringify(message);
    // As it would be if it came from elsewhere: nobody shares the object, and nobody is told in the caller's turn.
    await Promise.resolve();
    for (const listeners of this.bus.members.values()) listeners.tell(topic, JSON.parse(text), this.instance);
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
    this.#refuseClosed();
    const at = performance.now();
    const text = JSON.stringify(order);
    await Promise.resolve();
    for (const followers of this.bus.followers.values())
      for (const follower of followers) follower.given(JSON.parse(text), at, this.instance);
  }

  obey(follower: OrderFollower): () => void {
    if (this.#isClosed) return () => undefined;
    // One that follows twice is told twice.
    const own: OrderFollower = {
      given: (...order) => follower.given(...order),
      missed: () => follower.missed(),
    };
    this.#followers.add(own);
    return () => this.#followers.delete(own);
  }

  async away(): Promise<readonly string[]> {
    this.#refuseClosed();
    return [];
  }

  async instances(): Promise<readonly string[]> {
    this.#refuseClosed();
    return [...this.bus.members.keys()];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.wills.close?.();
    this.#listeners.clear();
    this.#followers.clear();
    this.bus.followers.delete(this.instance);
    for (const stop of this.#stops) stop();
    this.bus.members.delete(this.instance);
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw hubClosed();
  }
}

/** In a later turn, as it would be if a server had to be asked. By then it may be over. */
function begin({ work, controller }: Candidate): void {
  queueMicrotask(() => {
    if (!controller.signal.aborted) work(controller.signal);
  });
}
