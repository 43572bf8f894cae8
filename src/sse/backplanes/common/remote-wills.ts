import { LEASE_TIME } from '../../cluster/cluster.js';
import type { SseWills, Will } from '../../cluster/wills.js';
import { hubClosed, reasonOf, SseError } from '../../sse.errors.js';
import { BEAT } from './cluster-link.js';
import type { WillStore } from './will-store.js';

/**
 * Milliseconds for which an instance must be missing from the list of members, in all looks, before its wills are
 * another's to carry out. It left the list when the server had heard nothing for `ALIVE`, which is up to two
 * beats before it has been away for {@link LEASE_TIME}. The third beat is for a server that has just come back
 * with an empty list: the instances put themselves on it again as soon as each is connected.
 */
const MISSING = 3 * BEAT;

/** A longer pause between two looks, in milliseconds, says nothing about an instance that is missing in both. */
const LONGEST_PAUSE = 3 * BEAT;

/** Milliseconds for which a call is tried again while the connection is away. */
const PATIENCE = LEASE_TIME;

/** Milliseconds between two attempts. */
const PAUSE = 100;

/** The wills that instances have left with a server. */
export class RemoteWills implements SseWills {
  /** Since when each owner of wills is missing from the members: `performance.now()`. */
  #missing = new Map<string, number>();
  #lookedAt = -Infinity;
  #isClosed = false;

  /** @param members the instances that give signs of life */
  constructor(
    private readonly instance: string,
    private readonly store: WillStore,
    private readonly members: () => Promise<readonly string[]>,
  ) {}

  leave(id: string, text: string): Promise<void> {
    return this.#insist(() => this.store.put(this.instance, id, text));
  }

  isThere(id: string): Promise<boolean> {
    return this.#answer(() => this.store.has(this.instance, id));
  }

  remove(id: string, instance = this.instance): Promise<void> {
    return this.#insist(() => this.store.remove(instance, id));
  }

  async orphaned(): Promise<readonly Will[]> {
    const dead = await this.#answer(() => this.#dead());
    const wills = await Promise.all(dead.map((instance) => this.#answer(() => this.#of(instance))));
    return wills.flat();
  }

  close(): void {
    this.#isClosed = true;
  }

  async #dead(): Promise<string[]> {
    const askedAt = performance.now();
    if (askedAt - this.#lookedAt > LONGEST_PAUSE) this.#missing.clear();
    const before = this.#missing;
    this.#missing = new Map(); // and so it stays if there is no answer
    const owners = await this.store.owners();
    // Asked for later, as an instance is a member before it leaves a will.
    const members = new Set(owners.length === 0 ? [] : await this.members());
    const now = (this.#lookedAt = performance.now());
    for (const owner of owners)
      if (!members.has(owner) && owner !== this.instance) this.#missing.set(owner, before.get(owner) ?? now);
    return [...this.#missing].filter(([, since]) => askedAt - since >= MISSING).map(([owner]) => owner);
  }

  async #of(instance: string): Promise<Will[]> {
    return Array.from(await this.store.of(instance), ([id, text]) => ({ instance, id, text }));
  }

  async #answer<T>(call: () => Promise<T>): Promise<T> {
    this.#refuseClosed();
    try {
      return await call();
    } catch (cause) {
      this.#refuseClosed();
      throw away(cause);
    }
  }

  /** Tries again for a while: a connection that was lost is mostly there again in a moment. */
  async #insist(call: () => Promise<void>): Promise<void> {
    const until = performance.now() + PATIENCE;
    for (;;) {
      try {
        return await this.#answer(call);
      } catch (error) {
        if (this.#isClosed || performance.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw hubClosed();
  }
}

function away(cause: unknown): SseError {
  const reason = reasonOf(cause);
  return new SseError('BACKPLANE_AWAY', `The wills of the instances cannot be reached: ${reason}`, { cause });
}
