import type { ClusterListener } from '../../cluster/cluster.js';

/** Who listens to what an instance is told, by topic. */
export class Listeners {
  readonly #topics = new Map<string, Set<ClusterListener>>();

  /** @returns ends that */
  add(topic: string, listener: ClusterListener): () => void {
    // One function that listens twice is told twice.
    const own: ClusterListener = (message, from) => listener(message, from);
    const listeners = this.#topics.get(topic) ?? new Set();
    this.#topics.set(topic, listeners.add(own));
    return () => {
      if (listeners.delete(own) && listeners.size === 0 && this.#topics.get(topic) === listeners)
        this.#topics.delete(topic);
    };
  }

  tell(topic: string, message: unknown, from: string): void {
    for (const listener of this.#topics.get(topic) ?? []) listener(message, from);
  }

  /** Nobody is told anything any more, not even who is waiting for its turn in a telling. */
  clear(): void {
    for (const listeners of this.#topics.values()) listeners.clear();
    this.#topics.clear();
  }
}
