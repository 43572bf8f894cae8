import { setTimeout as delay } from 'node:timers/promises';
import { LEASE_TIME } from '../../cluster/cluster.js';
import type { SseWills, Will } from '../../cluster/wills.js';
import { SseError } from '../../sse.errors.js';
import { BEAT, type ClusterLink } from './cluster-link.js';

/**
 * Milliseconds for which an instance must be missing from the list of members, whenever it is read, before others may
 * carry out its wills. An instance is dropped from the list `ALIVE` (4 s) after its last beat. It may have died up to a
 * beat after that one, and counts as dead {@link LEASE_TIME} (5 s) after its death: up to two beats after it was
 * dropped. The third beat is for a server that has come back with an empty list: the instances need a moment to return.
 */
const MISSING = 3 * BEAT;

/** Milliseconds: over a longer pause between two looks, an instance that is missing in both may have been there. */
const LONGEST_PAUSE = 3 * BEAT;

/** Milliseconds for which a call is tried again while the connection is away. */
const PATIENCE = LEASE_TIME;

/** Milliseconds between two attempts. */
const PAUSE = 100;

/** The wills that instances have left with a server. */
export class RemoteWills implements SseWills {
  /** The owners of wills that are missing from the members, and since when by `performance.now()`. */
  #missing = new Map<string, number>();
  #lookedAt = -Infinity;

  /** @param answer makes a call, and turns its error into an SseError */
  constructor(
    private readonly instance: string,
    private readonly link: ClusterLink,
    private readonly answer: <T>(call: () => Promise<T>) => Promise<T>,
  ) {}

  leave(id: string, text: string): Promise<void> {
    return this.#insist(() => this.link.wills.put(this.instance, id, text));
  }

  isThere(id: string): Promise<boolean> {
    return this.answer(() => this.link.wills.has(this.instance, id));
  }

  remove(id: string, instance = this.instance): Promise<void> {
    return this.#insist(() => this.link.wills.remove(instance, id));
  }

  orphaned(): Promise<readonly Will[]> {
    return this.answer(async () => {
      const wills = (await this.#dead()).map(async (instance) =>
        Array.from(await this.link.wills.of(instance), ([id, text]) => ({ instance, id, text })),
      );
      return (await Promise.all(wills)).flat();
    });
  }

  async #dead(): Promise<string[]> {
    const askedAt = performance.now();
    if (askedAt - this.#lookedAt > LONGEST_PAUSE) this.#missing.clear();
    const before = this.#missing;
    this.#missing = new Map(); // stays empty if a call below fails: then nothing is known
    const owners = await this.link.wills.owners();
    // After the owners, as an instance is a member before it leaves a will.
    const members = new Set(owners.length === 0 ? [] : (await this.link.members()).there);
    const now = (this.#lookedAt = performance.now());
    for (const owner of owners)
      if (!members.has(owner) && owner !== this.instance) this.#missing.set(owner, before.get(owner) ?? now);
    return [...this.#missing].filter(([, since]) => askedAt - since >= MISSING).map(([owner]) => owner);
  }

  /** Tries again for a while: most lost connections are back in a moment. */
  async #insist(call: () => Promise<void>): Promise<void> {
    const until = performance.now() + PATIENCE;
    for (;;) {
      try {
        return await this.answer(call);
      } catch (error) {
        const isClosed = error instanceof SseError && error.code === 'HUB_CLOSED';
        if (isClosed || performance.now() > until) throw error;
        await delay(PAUSE);
      }
    }
  }
}
