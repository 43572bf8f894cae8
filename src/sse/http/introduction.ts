import { positionBlock, positionEvent, retryBlock } from '../protocol/event-stream.js';
import type { SseConnection } from './sse-connection.js';

/** The beginning of a response: how long its client waits before it reconnects, and the position where it begins. */
export class Introduction {
  /** The first text, made when the positions at the start were known; kept until it is sent. */
  #opening: string | undefined;
  /** `left out`: the response has begun without one, as a stock route without streams of the hub does. */
  #state: 'due' | 'given' | 'left out' = 'due';

  constructor(private readonly connection: Pick<SseConnection, 'reader' | 'settings'>) {}

  /** The positions of channels are known. @returns the text for the client now; empty if it comes with the opening */
  positionsKnown(): string {
    const { reader, settings } = this.connection;
    const id = reader.position.takeId();
    if (this.#state === 'due' && this.#opening === undefined) {
      this.#opening = this.#textOf(id, settings.retry);
      return '';
    }
    // A stream that came late: the position in its channel is new to the client.
    if (this.#state !== 'left out') return id === undefined ? '' : this.position(id);
    this.#state = 'given';
    return this.#textOf(id, settings.retry);
  }

  /**
   * The text that the response begins with.
   *
   * @param retry for a client that is sent away
   */
  opening(retry: number | undefined): string {
    const { reader, settings } = this.connection;
    return this.#opening ?? this.#textOf(reader.position.takeId(), retry ?? settings.retry);
  }

  /** The response has begun with this text. */
  opened(text: string): void {
    this.#opening = undefined;
    this.#state = text === '' ? 'left out' : 'given';
  }

  /** The text that tells the client its position. */
  position(id: string, retry?: number): string {
    return this.connection.settings.plain ? positionBlock(id, retry) : positionEvent(id, retry);
  }

  #textOf(id: string | undefined, retry: number): string {
    const { reader, settings } = this.connection;
    if (id !== undefined) return this.position(id, retry);
    return settings.route === 'stock' && !reader.isUsed ? '' : retryBlock(retry);
  }
}
