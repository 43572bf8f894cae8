import type { Cursor } from './cursor.js';

/** Where a client is in one channel, for the ids it is sent. */
export class Track {
  /** Whether its events were seen to go to another response: then it has no part in the ids of this one. */
  isForeign = false;
  /** Whether it is read no more. */
  isLeft = false;
  /** Whether it was said that its channel is streamed. */
  isTold = false;
  #told: number | undefined = undefined;
  /** The cursor's position when hidden events were last looked at. */
  #seen = 0;
  /** Whether the log was brought up to date because the client's position was not in it. */
  isRefreshed = false;
  /** Whether an operator was seen to hand an event on later than it got it. */
  #isHeld = false;

  constructor(readonly cursor: Cursor) {}

  /**
   * The offset that the ids name: the client has, or does not want, everything up to it. Undefined
   * until it was told of a gap that it came with; if it is cut off before, it must come back with that.
   * Undefined also while it waits for a snapshot; if it is cut off before, it must come back without.
   */
  get told(): number | undefined {
    const { cursor } = this;
    if (!cursor.host.takesBatches) return this.#told;
    // All that was read has gone out. So with each batch the cursor alone has to be touched.
    return cursor.isMissing || cursor.awaitsSnapshot ? undefined : cursor.position;
  }

  /** Whether the client resumes in that channel. */
  get hasPosition(): boolean {
    return this.cursor.channel.hasHistory && !this.isForeign;
  }

  /** The cursor knows where it begins. */
  started(): void {
    this.#seen = this.cursor.position;
    this.#told = this.cursor.isMissing || this.cursor.awaitsSnapshot ? undefined : this.#seen;
  }

  /** The client was told of a gap. */
  gapTold(): void {
    this.#seen = this.cursor.position;
    this.#told = this.cursor.awaitsSnapshot ? undefined : this.#seen;
  }

  /** Everything that was read goes out to the client. */
  sent(): void {
    this.#told = this.cursor.position;
  }

  /** @param isLate whether it came at another time than when it was handed on */
  delivered(offset: number, isLate: boolean): void {
    if (isLate) this.#isHeld = true;
    // What an operator has held back does not stand for the state that the client waits for.
    if (this.told === undefined && this.cursor.awaitsSnapshot) return;
    // An operator that changes the order does not take the client back.
    if (offset > (this.told ?? -1)) this.#told = offset;
  }

  /**
   * Takes in events that the client was not sent, because an operator hid them. Answers whether its
   * position has moved by that.
   *
   * An operator that hides events and one that holds them for a while look alike. So an event counts as
   * hidden only when it was there at the last look already, and never where one was seen to come late.
   *
   * @param isComplete whether the Observable has completed, so that nothing can be held
   */
  passHidden(isComplete: boolean): boolean {
    const { cursor, told } = this;
    if (!this.hasPosition || told === undefined || cursor.isMissing) return false;
    const passed = isComplete ? cursor.position : this.#isHeld ? told : this.#seen;
    this.#seen = cursor.position;
    if (passed <= told) return false;
    this.#told = passed;
    return true;
  }
}
