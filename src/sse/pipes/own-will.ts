import { randomUUID } from 'node:crypto';
import type { ChannelWriter } from '../publishing/channel-writer.js';
import { LEASE_TIME } from '../cluster/cluster.js';
import type { SseWills } from '../cluster/wills.js';
import type { StoredEvent } from '../log/stored-event.js';
import { tellLast, textOfWill, type PipeWill } from './pipe-will.js';

/**
 * The will of a pipe of this process, for the case that the process ends without a word. It is left before the
 * pipe publishes anything, and carried out by the pipe itself when it ends.
 *
 * `new` → `left` → `ending` → `done`; one that was never left goes from `new` to `ending`.
 */
export class OwnWill {
  readonly #id = randomUUID();
  #state: 'new' | 'left' | 'ending' | 'done' = 'new';
  #will: PipeWill;
  /** The last attempt to store it; undefined if there was none. */
  #stored: Promise<void> | undefined;
  /** When it was last known to be there: `performance.now()`. */
  #seenAt = 0;

  constructor(
    channel: string,
    complete: boolean,
    private readonly wills: SseWills,
    private readonly writer: ChannelWriter,
  ) {
    this.#will = { channel, last: undefined, complete };
  }

  /**
   * Resolves when it is stored.
   *
   * @param last what listeners are told if the process ends
   * @throws SseError `BACKPLANE_AWAY`
   */
  leave(last: Promise<StoredEvent | undefined>): Promise<void> {
    this.#state = 'left';
    this.#stored = last.then((event) => {
      this.#will = { ...this.#will, last: event };
      return this.#store();
    });
    return this.#stored;
  }

  /**
   * Sees to it that it is still there.
   *
   * @returns whether the pipe may go on: not, if others may have carried the will out
   */
  async confirm(): Promise<boolean> {
    const askedAt = performance.now();
    await this.#stored;
    const isThere = this.#state !== 'left' || (await this.wills.isThere(this.#id));
    if (isThere) this.#seenAt = askedAt;
    if (isThere || this.#state !== 'left') return true;
    // A channel that others have completed refuses the next event by itself. One that stays open does not.
    if (!this.#will.complete && askedAt - this.#seenAt > LEASE_TIME) return false;
    this.#stored = this.#store();
    await this.#stored;
    return true;
  }

  /**
   * Tells listeners the last event, if there is one, and completes the channel. What fails is to be tried again
   * by {@link carryOut}.
   */
  async endWith(last: StoredEvent | undefined): Promise<void> {
    this.#state = 'ending';
    await this.#stored?.catch(() => undefined); // so that it is removed after it was stored
    this.#will = { ...this.#will, last };
    await this.carryOut();
  }

  /** Does what is left to be done. */
  async carryOut(): Promise<void> {
    const { channel, complete } = this.#will;
    await tellLast(this.#id, this.#will, this.writer);
    this.#will = { ...this.#will, last: undefined };
    if (complete) {
      // Should the process end now, nothing is left to be told: the source has ended, and listeners know how.
      if (this.#stored) await this.#store();
      await this.writer.complete(channel);
    }
    if (this.#stored) await this.wills.remove(this.#id);
    this.#state = 'done';
  }

  async #store(): Promise<void> {
    const now = performance.now();
    await this.wills.leave(this.#id, textOfWill(this.#will));
    this.#seenAt = now;
  }
}
