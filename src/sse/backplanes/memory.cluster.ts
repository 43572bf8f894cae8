import { randomUUID } from 'node:crypto';
import { SseError } from '../sse.errors.js';
import type { SseCluster } from '../hub/cluster.js';

type Listener = (message: unknown, from: string) => void;
type Work = (signal: AbortSignal) => void;

/** What the instances of one process share; a test has several. */
export class MemoryBus {
  readonly members = new Map<string, MemoryCluster>();
  /** Who waits for each lease, its holder first. */
  readonly queues = new Map<string, { readonly work: Work; readonly controller: AbortController }[]>();
}

/** The cluster of a single instance: it hears itself, and has every lease. */
export class MemoryCluster implements SseCluster {
  readonly instance = randomUUID();
  readonly #listeners = new Set<Listener>();
  readonly #leases = new Set<() => void>();
  #isClosed = false;

  constructor(private readonly bus = new MemoryBus()) {
    bus.members.set(this.instance, this);
  }

  async broadcast(message: unknown): Promise<void> {
    this.#refuseClosed();
    const text = JSON.stringify(message);
    // As it would be if it came from elsewhere: nobody shares the object, and nobody is told in the caller's turn.
    await Promise.resolve();
    for (const member of this.bus.members.values())
      for (const listener of member.#listeners) listener(JSON.parse(text), this.instance);
  }

  listen(listener: Listener): () => void {
    if (!this.#isClosed) this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  lead(name: string, work: Work): () => void {
    if (this.#isClosed) return () => undefined;
    const queue = this.bus.queues.get(name) ?? [];
    this.bus.queues.set(name, queue);
    const one = { work, controller: new AbortController() };
    if (queue.push(one) === 1) work(one.controller.signal);
    const stop = (): void => {
      const place = queue.indexOf(one);
      if (place < 0) return;
      this.#leases.delete(stop);
      queue.splice(place, 1);
      one.controller.abort();
      const next = queue[0];
      if (!next) this.bus.queues.delete(name);
      else if (place === 0) next.work(next.controller.signal);
    };
    this.#leases.add(stop);
    return stop;
  }

  async instances(): Promise<readonly string[]> {
    this.#refuseClosed();
    return [...this.bus.members.keys()];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listeners.clear();
    for (const stop of [...this.#leases]) stop();
    this.bus.members.delete(this.instance);
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw new SseError('HUB_CLOSED', 'The application was closed.');
  }
}
