import { randomUUID } from 'node:crypto';
import { LEASE_TIME } from '../cluster/cluster.js';
import type { SseWills } from '../cluster/wills.js';
import { restoredEvent, type StoredEvent } from '../log/stored-event.js';
import type { ChannelWriter } from '../publishing/channel-writer.js';
import { SseError } from '../sse.errors.js';

/*
 * The will of a pipe, in the sense of MQTT: the last event of its channel. It is stored beside the histories, and another
 * instance publishes it if this process ends without a word (source-pipes.ts).
 */

/** Milliseconds between two looks at wills. */
export const LOOK_INTERVAL = 1_000;

/** The rest of a pipe's work, at the end of its channel. Instances of other versions read it as JSON. */
export interface PipeWill {
  readonly channel: string;
  /** The event that listeners are still to be told. */
  readonly last: StoredEvent | undefined;
  /** Whether the channel is to be completed then. */
  readonly complete: boolean;
}

/** @throws if the text is not that of a will */
export function willOfText(text: string): PipeWill {
  const { channel, last, complete } = JSON.parse(text) as PipeWill;
  return { channel, last: last && restoredEvent(last), complete };
}

/**
 * Publishes the last event, if there is one. It is stored once, however often this is tried.
 *
 * @param id of the will
 */
export async function tellLast(
  id: string,
  { channel, last }: PipeWill,
  writer: ChannelWriter,
): Promise<void> {
  if (!last) return;
  try {
    await writer.appendLast(channel, last, `pipe/${id}`);
  } catch (error) {
    // Somebody else has completed the channel, and its listeners know that it has ended.
    if (!(error instanceof SseError && error.code === 'CHANNEL_COMPLETED')) throw error;
  }
}

/**
 * The will of a pipe of this process. It is left before the pipe publishes anything, and carried out by the pipe
 * itself when it ends.
 *
 * `new` → `left` → `ended`; a pipe that is stopped before it begins leaves none.
 */
export class OwnWill {
  readonly #id = randomUUID();
  #state: 'new' | 'left' | 'ended' = 'new';
  /** The last attempt to store the will; undefined if there was none. */
  #stored: Promise<void> | undefined;
  /** When the will was last known to be stored: `performance.now()`. */
  #seenAt = 0;

  constructor(
    private will: PipeWill,
    private readonly wills: SseWills,
    private readonly writer: ChannelWriter,
  ) {}

  /**
   * Resolves when it is stored.
   *
   * @param last the event that listeners are told if the process ends
   * @throws SseError `BACKPLANE_AWAY`
   */
  leave(last: Promise<StoredEvent | undefined>): Promise<void> {
    this.#state = 'left';
    this.#stored = last.then((event) => {
      this.will = { ...this.will, last: event };
      return this.#store();
    });
    return this.#stored;
  }

  /**
   * Stores the will again if the store does not have it any more.
   *
   * @returns `lost` if others may have carried it out, so that the pipe cannot go on
   */
  async confirm(): Promise<'kept' | 'lost'> {
    const askedAt = performance.now();
    await this.#stored;
    const isThere = this.#state !== 'left' || (await this.wills.isThere(this.#id));
    if (isThere) this.#seenAt = askedAt;
    if (isThere || this.#state !== 'left') return 'kept';
    // A channel that others have completed refuses the next event by itself. One that stays open does not.
    if (!this.will.complete && askedAt - this.#seenAt > LEASE_TIME) return 'lost';
    this.#stored = this.#store();
    await this.#stored;
    return 'kept';
  }

  /**
   * Tells listeners the last event, if there is one, and completes the channel. After a failure {@link carryOut} is
   * to be called, until it succeeds.
   */
  async endWith(last: StoredEvent | undefined): Promise<void> {
    this.#state = 'ended';
    await this.#stored?.catch(() => undefined); // the will must not be stored after it was removed
    this.will = { ...this.will, last };
    await this.carryOut();
  }

  /** Does what is left to be done. */
  async carryOut(): Promise<void> {
    const { channel, complete } = this.will;
    await tellLast(this.#id, this.will, this.writer);
    this.will = { ...this.will, last: undefined };
    if (complete) {
      // Should the process end now, nothing is left to be told: the source has ended, and listeners know how.
      if (this.#stored) await this.#store();
      await this.writer.complete(channel);
    }
    if (this.#stored) await this.wills.remove(this.#id);
  }

  async #store(): Promise<void> {
    const now = performance.now();
    const { last } = this.will;
    // The body is left out: restoredEvent() makes it of the other fields.
    const text = JSON.stringify({
      ...this.will,
      last: last && { ...last, body: undefined, bytes: undefined },
    });
    await this.wills.leave(this.#id, text);
    this.#seenAt = now;
  }
}
