import { Injectable } from '@nestjs/common';
import { LONGEST_TIMER } from '../validate.js';
import type { SseConnection } from './sse-connection.js';

/** A connection that must not be silent for long. */
export type Beating = Pick<SseConnection, 'heartbeat' | 'beat'>;

/** Connections that are looked at before the event loop gets a turn. */
const STEP = 500;

/**
 * One timer for the heartbeats of all connections; none while there are no connections. Each is looked at
 * when its silence may be too long, and not before: about once in a heartbeat, however many there are.
 */
@Injectable()
export class Heartbeat {
  /** By the time at which they are looked at. Those that are due at about the same time share one. */
  readonly #due = new Map<number, Set<Beating>>();
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Infinity;
  /** The immediate in which the rest of those that are due are looked at. */
  #rest: NodeJS.Immediate | undefined;

  add(beating: Beating): void {
    if (beating.heartbeat === 0) return;
    const time = this.#put(beating, beating.heartbeat, performance.now());
    if (!this.#rest && time < this.#wakesAt) this.#wake();
  }

  delete(beating: Beating): void {
    for (const [time, group] of this.#due) {
      if (!group.delete(beating)) continue;
      if (group.size === 0) this.#due.delete(time);
      break;
    }
    if (this.#due.size > 0) return;
    clearImmediate(this.#rest);
    this.#rest = undefined;
    this.#sleep();
  }

  /** @returns the time at which it is looked at */
  #put(beating: Beating, milliseconds: number, now: number): number {
    const step = stepOf(beating.heartbeat);
    const time = Math.ceil((now + Math.max(milliseconds, 1)) / step) * step;
    const group = this.#due.get(time);
    if (group) group.add(beating);
    else this.#due.set(time, new Set([beating]));
    return time;
  }

  #wake(): void {
    const time = Math.min(...this.#due.keys());
    if (time === this.#wakesAt) return;
    this.#sleep();
    if (time === Infinity) return;
    this.#wakesAt = time;
    // A group may have become due while others were looked at. A time that was rounded up may lie beyond the longest timer.
    const wait = Math.min(Math.max(time - performance.now(), 0), LONGEST_TIMER);
    this.#timer = setTimeout(() => this.#look(), wait);
    // The server keeps the process alive, not this.
    this.#timer.unref();
  }

  #sleep(): void {
    clearTimeout(this.#timer);
    this.#wakesAt = Infinity;
  }

  #look(): void {
    this.#sleep();
    this.#rest = undefined;
    const now = performance.now();
    let looked = 0;
    for (const [time, group] of this.#due) {
      if (time > now) continue;
      for (const one of group) {
        const milliseconds = one.beat(now);
        // It may have found that its client has gone, and left.
        if (group.delete(one)) this.#put(one, milliseconds, now);
        if (++looked < STEP) continue;
        if (this.#due.size > 0) this.#rest = setImmediate(() => this.#look());
        return;
      }
      this.#due.delete(time);
    }
    this.#wake();
  }
}

/**
 * Milliseconds to a multiple of which times are rounded up: at most an eighth of the heartbeat, and a power of two,
 * so that routes with different heartbeats share a time.
 */
const stepOf = (heartbeat: number): number => 2 ** Math.max(0, Math.floor(Math.log2(heartbeat / 8)));
