import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { SharedText } from '../protocol/event-stream.js';
import { Block, GzipStream } from './deflate.js';
import type { Exchange } from './exchange.js';
import { GatheredText } from './gathered-text.js';
import type { ContentCoding } from './response-head.js';

/**
 * Writes to one response whose head is sent.
 *
 * Where nothing else has a hand in the bytes it writes chunks that are ready made, one for all
 * clients, straight to the socket. Everywhere else it writes to the response.
 */
export abstract class ResponseWriter {
  protected readonly socket: Socket | undefined;
  #drained: (() => void) | undefined;
  #isListening = false;

  constructor(
    protected readonly exchange: Exchange,
    coding: ContentCoding,
  ) {
    this.socket = shortWay(exchange.response, coding);
  }

  /** @param coding undefined where the response is never compressed */
  static of(exchange: Exchange, coding: ContentCoding | undefined): ResponseWriter {
    return coding === 'gzip' ? new GzipWriter(exchange, coding) : new TextWriter(exchange, 'identity');
  }

  /** Writes what the response begins with. */
  abstract begin(text: string): void;

  /** @returns false when the client cannot take more now; `onceDrained` says when it can */
  abstract write(shared: SharedText): boolean;

  /** Writes what a whole response ends with. */
  abstract finish(): void;

  /** Bytes that were written, and that the system has not taken yet. */
  get waitingBytes(): number {
    return this.socket?.writableLength ?? this.exchange.response.writableLength;
  }

  onceDrained(listener: () => void): void {
    if (this.socket) {
      this.socket.once('drain', listener);
      return;
    }
    this.#drained = listener;
    if (this.#isListening) return;
    // Not `once`: a compression middleware puts the listener on its own stream, and never takes it off.
    this.#isListening = true;
    this.exchange.response.on('drain', () => {
      const drained = this.#drained;
      this.#drained = undefined;
      drained?.();
    });
  }
}

class TextWriter extends ResponseWriter {
  override begin(text: string): void {
    // Clients that begin one after the other mostly begin with the same text.
    if (text) this.write(GatheredText.EMPTY.plus(text, undefined));
  }

  override write(shared: SharedText): boolean {
    return this.socket ? this.socket.write(shared.chunk) : this.exchange.write(shared.text);
  }

  override finish(): void {
    // The end of the response says it.
  }
}

/** Writes blocks that are compressed once for all clients (deflate.ts). */
class GzipWriter extends ResponseWriter {
  readonly #gzip = new GzipStream();

  override begin(text: string): void {
    this.#send(new Block(this.#gzip.begin(text)));
  }

  override write(shared: SharedText): boolean {
    return this.#send(this.#gzip.shared(shared));
  }

  override finish(): void {
    this.#send(this.#gzip.end());
  }

  #send(block: Block): boolean {
    return this.socket ? this.socket.write(block.chunk) : this.exchange.write(block.bytes);
  }
}

/**
 * The socket, if what is written to it means the same as what is written to the response: chunks are
 * HTTP/1.1's, nobody has wrapped the response to change what goes through it, and nothing waits in it
 * that would then come later.
 */
function shortWay(response: ServerResponse, coding: ContentCoding): Socket | undefined {
  if (!(response instanceof ServerResponse) || response.write !== ServerResponse.prototype.write)
    return undefined;
  const { socket, req } = response;
  const isPlain =
    req.httpVersion === '1.1' &&
    req.method !== 'HEAD' &&
    response.statusCode === 200 &&
    response.chunkedEncoding &&
    !response.hasHeader('content-length') &&
    !response.hasHeader('transfer-encoding') &&
    (coding === 'gzip' || !response.hasHeader('content-encoding'));
  if (!isPlain || !socket || socket.destroyed) return undefined;
  return response.writableLength === socket.writableLength ? socket : undefined;
}
