import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';

/** A way to a port of this machine that can be cut: what is on it then stays there until it is whole again. */
export class TcpProxy {
  readonly #sockets = new Set<Socket>();
  /** The bytes after which connections end, by the sockets that they come from: those to the server. */
  readonly #left = new Map<Socket, number>();
  #pieces: 'as they come' | 'bytes' = 'as they come';
  #isCut = false;
  #isRefusing = false;

  private constructor(
    private readonly server: Server,
    private readonly target: number,
  ) {
    server.on('connection', (client) => this.#join(client));
  }

  static async to(port: number): Promise<TcpProxy> {
    const server = createServer({ pauseOnConnect: true });
    const proxy = new TcpProxy(server, port);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Nothing passes any more, in no direction; no connection ends. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Every connection ends at once; new ones wait until it is whole again. */
  sever(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Every connection ends when the server has sent so many more bytes on it. New ones do not. */
  severAfter(bytes: number): void {
    for (const socket of this.#left.keys()) this.#left.set(socket, bytes);
  }

  /** Each byte comes by itself from now on, later than the one before. */
  trickle(): void {
    this.#pieces = 'bytes';
  }

  /** Every connection ends, and none can be made. */
  refuse(): void {
    this.#isRefusing = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = this.#isRefusing = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.server.listening) await new Promise((resolve) => this.server.close(resolve));
  }

  #join(client: Socket): void {
    if (this.#isRefusing) {
      client.destroy();
      return;
    }
    const target = connect(this.target, '127.0.0.1');
    client.setNoDelay(true);
    this.#left.set(target, Infinity);
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (chunk) => void this.#pass(from, to, chunk));
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        this.#left.delete(from);
        to.destroy();
      });
      if (this.#isCut) from.pause();
      else from.resume();
    }
  }

  async #pass(from: Socket, to: Socket, chunk: Buffer): Promise<void> {
    const left = this.#left.get(from) ?? Infinity;
    if (this.#left.has(from)) this.#left.set(from, left - chunk.length);
    if (chunk.length > left) {
      to.write(chunk.subarray(0, left), () => from.destroy());
      return;
    }
    if (this.#pieces === 'as they come') {
      to.write(chunk);
      return;
    }
    from.pause();
    for (const byte of chunk) {
      to.write(Buffer.of(byte));
      await turn();
    }
    if (!this.#isCut) from.resume();
  }
}
