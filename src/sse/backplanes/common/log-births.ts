import { randomInt } from 'node:crypto';
import { channelNumber } from '../../protocol/position.js';

/** The size of the table. Channels whose names fall into the same slot share its number. */
const SLOTS = 4_096;

/** The number of a slot of channel names. */
export interface Slot {
  readonly slot: number;
  readonly number: number;
}

/**
 * Knows whether a log has come and gone, by a table of fixed size: each slot of channel names has a random number, which
 * changes whenever a log of the slot ends. The position of an absent channel (log/backplane.ts) has the birth mark of
 * the log that would be made now, and is valid until a log of its slot ends.
 *
 * The numbers are random and not counters: a store that came back older would count to the same number again, for other
 * logs.
 */
export class LogBirths {
  readonly #numbers = new Uint32Array(SLOTS);

  /**
   * @param store letters and digits that name the store, which no other has
   * @param slots those of a store that was there before
   */
  constructor(
    private readonly store: string,
    slots: Iterable<Slot> = [],
  ) {
    for (const { slot, number } of slots) this.#numbers[slot] = number;
  }

  /** The birth mark of the log that would be made of a channel now. */
  markOf(channel: string): string {
    return `${this.store}${(this.#numbers[slotOf(channel)] as number).toString(36)}`;
  }

  /** A log of a channel has ended. Returns what has changed. */
  ended(channel: string): Slot {
    const slot = slotOf(channel);
    const number = randomInt(1, 2 ** 32);
    this.#numbers[slot] = number;
    return { slot, number };
  }
}

const slotOf = (channel: string): number => channelNumber(channel) % SLOTS;
