import { Injectable } from '@nestjs/common';

/** A connection that must not be silent for long. */
export interface Beating {
  /** Milliseconds of silence that are too long; 0 for any silence. */
  readonly heartbeat: number;
  /** Called often enough to notice such a silence; times are of `performance.now()`. */
  beat(now: number): void;
}

/** Looks at a connection in one heartbeat: what is due comes late by a share of that, at most. */
const LOOKS = 8;
/** Connections that are looked at before the event loop gets a turn. */
const STEP = 1_000;

/** One timer for the heartbeats of all connections; none while there are no connections. */
@Injectable()
export class Heartbeat {
  /**
   * A time that is not before now and costs nothing to read: that of the next look. Who is written to
   * counts as silent from then on, so nobody is taken for silent who was not for a whole heartbeat.
   */
  soon = 0;
  readonly #beating = new Set<Beating>();
  #every = Infinity;
  #timer: NodeJS.Timeout | undefined;
  /** Those who are still to be looked at, while the event loop has its turn. */
  #rest: NodeJS.Immediate | undefined;

  add(beating: Beating): void {
    if (beating.heartbeat === 0) return;
    this.#beating.add(beating);
    const every = Math.max(beating.heartbeat / LOOKS, 1);
    if (every >= this.#every) return;
    this.#every = every;
    if (!this.#rest) this.#wait();
  }

  delete(beating: Beating): void {
    if (!this.#beating.delete(beating) || this.#beating.size > 0) return;
    clearTimeout(this.#timer);
    clearImmediate(this.#rest);
    this.#rest = undefined;
    this.#every = Infinity;
  }

  #wait(): void {
    clearTimeout(this.#timer);
    this.soon = performance.now() + this.#every;
    this.#timer = setTimeout(() => this.#look(this.#beating.values()), this.#every);
    // The server keeps the process alive, not this.
    this.#timer.unref();
  }

  #look(beating: IterableIterator<Beating>): void {
    const now = performance.now();
    this.soon = now + this.#every;
    let looked = 0;
    for (const one of beating) {
      one.beat(now);
      if (++looked === STEP) break;
    }
    // A beat may find that its client has gone, and be the last.
    if (this.#beating.size === 0) return;
    this.#rest = looked === STEP ? setImmediate(() => this.#look(beating)) : undefined;
    if (!this.#rest) this.#wait();
  }
}
