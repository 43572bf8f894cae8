import type { ClusterListener } from '../../cluster/cluster.js';

/** One place in the list: a follower that is added twice has two. */
interface Place<Follower> {
  readonly follower: Follower;
}

/**
 * A list of followers that are told news, in the order in which they came. One that is added twice is told twice.
 *
 * A follower that leaves is told nothing more, not even the news that the others are being told at that moment. One that
 * is added in that moment is told from the next news on.
 */
export class Followers<Follower> {
  /** Replaced and never changed, so that `tell()` goes on with the list that it began with. */
  #places: readonly Place<Follower>[] = [];

  get size(): number {
    return this.#places.length;
  }

  /** @returns makes the follower leave, and answers whether it had not left yet */
  add(follower: Follower): () => boolean {
    const own = { follower };
    this.#places = [...this.#places, own];
    return () => {
      const wasThere = this.#places.includes(own);
      this.#places = this.#places.filter((place) => place !== own);
      return wasThere;
    };
  }

  /** The present list, for a later `tell()` that leaves out those who come meanwhile. */
  get present(): readonly Place<Follower>[] {
    return this.#places;
  }

  tell(news: (follower: Follower) => void, to = this.#places): void {
    for (const place of to) if (this.#places.includes(place)) news(place.follower);
  }

  clear(): void {
    this.#places = [];
  }
}

/** Listeners to the broadcasts that an instance receives, by topic. */
export class Listeners {
  readonly #topics = new Map<string, Followers<ClusterListener>>();

  /** @returns ends that */
  add(topic: string, listener: ClusterListener): () => void {
    const listeners = this.#topics.get(topic) ?? new Followers();
    this.#topics.set(topic, listeners);
    const leave = listeners.add(listener);
    return () => {
      leave();
      if (listeners.size === 0 && this.#topics.get(topic) === listeners) this.#topics.delete(topic);
    };
  }

  tell(topic: string, message: unknown, from: string): void {
    this.#topics.get(topic)?.tell((listener) => listener(message, from));
  }

  clear(): void {
    for (const listeners of this.#topics.values()) listeners.clear();
    this.#topics.clear();
  }
}
