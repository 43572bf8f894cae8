import { request, type IncomingMessage } from 'node:http';
import { Duplex, Readable } from 'node:stream';

/** Bytes that one end of a connection holds for the other, which reads them later: as the buffers of a kernel do. */
const BUFFERED = 16 * 1024;

/** One end of a connection in memory. It behaves as a socket does towards `node:http`. */
export class MemorySocket extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  #peer!: MemorySocket;
  /** Called when the other end has read what was written. */
  #taken: (() => void) | undefined;
  #saidGoodbye = false;

  private constructor(bytes: number) {
    super({ highWaterMark: bytes });
  }

  /** @param bytes that each end holds for the other */
  static pair(bytes = BUFFERED): [client: MemorySocket, server: MemorySocket] {
    const [one, other] = [new MemorySocket(bytes), new MemorySocket(bytes)];
    [one.#peer, other.#peer] = [other, one];
    return [one, other];
  }

  /** As that of `net.Socket`. */
  destroySoon(): void {
    this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  override _read(): void {
    const taken = this.#peer.#taken;
    this.#peer.#taken = undefined;
    taken?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#peer.destroyed || this.#peer.push(chunk)) done();
    else this.#taken = done;
  }

  override _final(done: () => void): void {
    this.#saidGoodbye = true;
    this.#peer.push(null);
    done();
  }

  override _destroy(_error: Error | null, done: (error: Error | null) => void): void {
    done(null);
    const peer = this.#peer;
    if (!this.#saidGoodbye && !peer.destroyed) peer.destroy();
  }
}

/** A `fetch()` whose connections are in memory. */
export function fetchOver(connect: () => MemorySocket): typeof fetch {
  return (input, init) => {
    const { url, method, headers, signal } = new Request(input, init);
    const { pathname, search } = new URL(url);
    const options = { path: pathname + search, method, headers: Object.fromEntries(headers), signal };
    return new Promise((resolve, reject) => {
      const sent = request({ ...options, createConnection: connect });
      sent.once('response', (response) => resolve(answerOf(response)));
      sent.on('error', reject);
      sent.end();
    });
  };
}

function answerOf(response: IncomingMessage): Response {
  const { statusCode: status = 0, headers } = response;
  const body = status === 204 ? null : (Readable.toWeb(response) as ReadableStream<Uint8Array>);
  return new Response(body, { status, headers: headers as Record<string, string> });
}
