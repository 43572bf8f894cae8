import { Server as HttpServer } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

/**
 * Connections on which no request has come yet. Browsers and connection pools open them in advance, and
 * a server that is closed waits for them: Node counts as idle only those that were used.
 */
@Injectable()
export class UnusedSockets implements OnApplicationBootstrap {
  readonly #sockets = new Set<Socket>();

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  onApplicationBootstrap(): void {
    // A process without an HTTP server has no adapter. HTTP/2 hands out no sockets.
    const adapter = this.adapterHost.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
    const server: unknown = adapter?.getHttpServer();
    if (!(server instanceof HttpServer) && !(server instanceof HttpsServer)) return;
    const sockets = this.#sockets;
    // One function for all sockets, not one for each.
    function forget(this: Socket): void {
      sockets.delete(this);
    }
    server.on(server instanceof HttpsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', forget);
    });
    server.on('request', ({ socket }: { readonly socket: Socket }) => sockets.delete(socket));
  }

  destroy(): void {
    // A socket that has become a WebSocket never had a request, in Node's terms, but was read from.
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
  }
}
