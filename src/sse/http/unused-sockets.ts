import { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { httpServerOf } from './http-server.js';

/**
 * The sockets of the application's server on which no request has come yet. When streams have to wait, these can be held: what
 * comes on them stays with the system, unread, until their turn.
 */
@Injectable()
export class UnusedSockets implements OnApplicationBootstrap {
  readonly #all = new Set<Socket>();
  /** The sockets that are not read now, in the order in which they came. */
  readonly #held = new Set<Socket>();

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  onApplicationBootstrap(): void {
    const server = httpServerOf(this.adapterHost);
    if (!server) return;
    const all = this.#all;
    const held = this.#held;
    // One function for all sockets, not one for each.
    function forget(this: Socket): void {
      all.delete(this);
      held.delete(this);
    }
    server.on(server instanceof HttpsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
      all.add(socket);
      socket.on('close', forget); // it comes once
      // Not before those that came before it.
      if (held.size > 0) this.#hold(socket);
    });
    server.on('request', ({ socket }: { readonly socket: Socket }) => {
      if (!all.has(socket)) return;
      forget.call(socket);
      // A stream may go on for days, and each would keep a list of listeners for this one.
      socket.off('close', forget);
    });
  }

  /** Does not read these sockets any more, and those that come, until `release()`. */
  hold(): void {
    if (this.#held.size > 0) return;
    for (const socket of this.#all) this.#hold(socket);
  }

  /** Reads so many of them again. @returns whether there were any */
  release(count: number): boolean {
    let left = count;
    for (const socket of this.#held) {
      if (left-- === 0) break;
      this.#held.delete(socket);
      socket.resume();
    }
    return left < count;
  }

  /** Destroys them, as a server that closes waits for them: Node counts as idle only those that were used. */
  destroy(): void {
    for (const socket of this.#all) if (isSilent(socket)) socket.destroy();
  }

  #hold(socket: Socket): void {
    if (!isSilent(socket) || socket.isPaused()) return;
    socket.pause();
    this.#held.add(socket);
  }
}

/** Whether nothing was read from it. A socket that has become a WebSocket never had a request either. */
const isSilent = (socket: Socket): boolean => socket.bytesRead === 0;
