import type { StreamReader } from '../streams/stream-reader.js';
import { eventBody, positionBlock, positionEvent, retryBlock } from '../protocol/event-stream.js';
import type { ConnectionSettings } from './connection-settings.js';

/** What a client is told before everything else: how long to wait before it reconnects, and where it begins. */
export class Introduction {
  /** As it was when the positions at the start were known. */
  #opening: string | undefined;
  #isGiven = false;

  constructor(
    private readonly reader: StreamReader,
    private readonly settings: Pick<ConnectionSettings, 'retry' | 'numbered' | 'plain'>,
  ) {}

  /** The positions of channels are known. Answers what is to be said of them now. */
  located(isOpen: boolean): string {
    const id = this.reader.position.tell();
    if (!isOpen && this.#opening === undefined) {
      this.#opening = this.#with(id, this.settings.retry);
      return '';
    }
    // A stream that came late: the position in its channel is new to the client.
    if (this.#isGiven || !isOpen) return id === undefined ? '' : this.position(id);
    return this.#give(this.#with(id, this.settings.retry));
  }

  /**
   * The text that the response begins with.
   *
   * @param retry said to a client that is sent away
   */
  opening(connection: { readonly id: string }, retry?: number): string {
    const { position } = this.reader;
    const text = this.#opening ?? this.#with(position.tell(), retry ?? this.settings.retry);
    if (!position.isJoinable || retry !== undefined) return this.#give(text);
    // By that its client joins channels, and before any event of them it has to know.
    return this.#give(text + eventBody({ type: 'connection', data: JSON.stringify({ id: connection.id }) }));
  }

  /** The response has begun. */
  opened(): void {
    this.#opening = undefined;
  }

  /** Tells the client where it is. */
  position(id: string, retry?: number): string {
    return this.settings.plain ? positionBlock(id, retry) : positionEvent(id, retry);
  }

  #give(text: string): string {
    this.#isGiven = text !== '';
    return text;
  }

  /** A stock route without streams of the hub stays as it is. */
  #with(id: string | undefined, retry: number): string {
    if (id !== undefined) return this.position(id, retry);
    return this.settings.numbered && !this.reader.isUsed ? '' : retryBlock(retry);
  }
}
