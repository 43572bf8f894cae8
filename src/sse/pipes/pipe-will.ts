import { randomUUID } from 'node:crypto';
import { LEASE_TIME } from '../cluster/cluster.js';
import type { SseWills } from '../cluster/wills.js';
import { restoredEvent, type StoredEvent } from '../log/stored-event.js';
import type { ChannelWriter } from '../publishing/channel-writer.js';
import { SseError } from '../sse.errors.js';

/*
 * The will of a pipe, in the sense of MQTT: the last event of its channel, which is left with the histories and which
 * another instance publishes if this process ends without a word (lost-pipes.ts).
 */

/** Milliseconds between two looks at wills. */
export const LOOK_INTERVAL = 1_000;

/** The end of a channel as far as it is still to come. As JSON it is read by instances of other versions. */
export interface PipeWill {
  readonly channel: string;
  /** The event that listeners are still to be told. */
  readonly last: StoredEvent | undefined;
  /** Whether the channel is to be completed then. */
  readonly complete: boolean;
}

/** @throws where it is the text of something else */
export function willOfText(text: string): PipeWill {
  const { channel, last, complete } = JSON.parse(text) as PipeWill;
  return { channel, last: last && restoredEvent(last), complete };
}

/**
 * Tells listeners the last event, if there is one: once, however often it is tried.
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
    // Then somebody else has ended it, and listeners have had the end.
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
  /** The last attempt to store it; undefined if there was none. */
  #stored: Promise<void> | undefined;
  /** When it was last known to be there: `performance.now()`. */
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
   * Stores it again where it is no longer there.
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
    await this.#stored?.catch(() => undefined); // so that it is removed after it was stored
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
    // The event's body is made of the rest.
    const text = JSON.stringify({
      ...this.will,
      last: last && { ...last, body: undefined, bytes: undefined },
    });
    await this.wills.leave(this.#id, text);
    this.#seenAt = now;
  }
}
