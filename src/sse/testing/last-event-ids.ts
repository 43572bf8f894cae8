import type { Block } from './event-stream-parser.js';

/** A browser engine, by what its EventSource does. Chromium follows the HTML standard. */
export type Engine = 'chromium' | 'firefox' | 'webkit';

/**
 * The last event ID as each engine has it. They agree but for blocks without data: Firefox passes over the id of such a block,
 * and WebKit stores it with the next event. test/browser compares this with the engines.
 */
export class LastEventIds {
  #ids: Record<Engine, string> = { chromium: '', firefox: '', webkit: '' };
  /** An id that WebKit has read and not stored yet. */
  #read: string | undefined;

  of(engine: Engine): string {
    return this.#ids[engine];
  }

  /** The client comes with this one. */
  beginWith(id: string): void {
    this.#ids = { chromium: id, firefox: id, webkit: id };
    this.#read = undefined;
  }

  received({ id, data }: Block): void {
    this.#read = id ?? this.#read;
    if (id !== undefined) this.#ids.chromium = id;
    if (data === undefined) return;
    if (id !== undefined) this.#ids.firefox = id;
    this.#ids.webkit = this.#read ?? this.#ids.webkit;
    this.#read = undefined;
  }
}
