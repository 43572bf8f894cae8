import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** An address that leads to one server and then to another, as the name of a primary does after a failover. */
export class MovingAddress {
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private target: number,
  ) {
    server.on('connection', (client) => this.#join(client));
  }

  static async of(port: number): Promise<MovingAddress> {
    const server = createServer();
    const address = new MovingAddress(server, port);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return address;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** New connections lead there from now on; those that are there stay where they are. */
  leadTo(port: number): void {
    this.target = port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #join(client: Socket): void {
    const target = connect(this.target, '127.0.0.1');
    client.pipe(target).pipe(client);
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
