import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { whenTestEnds } from '../../support/clean-up.js';

/** A client that writes and reads the very bytes of a connection, or does not read. It leaves when the test ends. */
export class Wire {
  /** Everything that was read. */
  text = '';
  /** Whether the server has ended the connection, or broken it. */
  readonly closed: Promise<void>;
  readonly #bell = new EventEmitter();
  #isClosed = false;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
      this.#bell.emit('ring');
    });
    socket.on('error', () => undefined); // of a connection that is broken: it closes next
    this.closed = once(socket, 'close').then(() => {
      this.#isClosed = true;
      this.#bell.emit('ring');
    });
    whenTestEnds(() => socket.destroy());
  }

  static async connect(url: string): Promise<Wire> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    return new Wire(socket);
  }

  /** Connects and asks for the address, by GET. */
  static async get(url: string, headers: readonly string[] = [], version = '1.1'): Promise<Wire> {
    const wire = await Wire.connect(url);
    wire.get(new URL(url).pathname, headers, version);
    return wire;
  }

  get(path: string, headers: readonly string[] = [], version = '1.1'): void {
    this.send([`GET ${path} HTTP/${version}`, 'Host: localhost', ...headers, '', ''].join('\r\n'));
  }

  send(text: string): void {
    this.socket.write(text);
  }

  /** Reads until the text has come; fails if the connection is closed before. */
  async until(pattern: RegExp | string): Promise<this> {
    const isThere = (): boolean =>
      typeof pattern === 'string' ? this.text.includes(pattern) : pattern.test(this.text);
    while (!isThere()) {
      if (this.#isClosed)
        throw new Error(`The connection is closed, after ${JSON.stringify(this.text.slice(-300))}.`);
      await once(this.#bell, 'ring');
    }
    return this;
  }

  /** Stops reading, as a client that hangs. */
  stall(): void {
    this.socket.pause();
  }

  /** Reads again. */
  resume(): void {
    this.socket.resume();
  }

  /** Leaves by FIN. */
  leave(): void {
    this.socket.destroy();
  }

  /** Leaves by RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }
}
