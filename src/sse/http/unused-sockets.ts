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
  #server: ReturnType<typeof httpServerOf>;
  /** By when they were connected: `performance.now()`. In the order of that. */
  readonly #all = new Map<Socket, number>();
  /** The sockets that are not read now, in the order in which they came. */
  readonly #held = new Set<Socket>();

  constructor(private readonly adapterHost: HttpAdapterHost) {}

  onApplicationBootstrap(): void {
    const server = (this.#server = httpServerOf(this.adapterHost));
    if (!server) return;
    const all = this.#all;
    const held = this.#held;
    // One function for all sockets, not one for each.
    function forget(this: Socket): void {
      all.delete(this);
      held.delete(this);
    }
    server.on(server instanceof HttpsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
      all.set(socket, performance.now());
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

  /** Whether there are any that are not read now. */
  get areHeld(): boolean {
    return this.#held.size > 0;
  }

  /** Does not read these sockets any more, and those that come, until `release()`. */
  hold(): void {
    if (this.areHeld) return;
    const lastTurn = this.#lastTurn;
    for (const [socket, connectedAt] of this.#all) {
      // Part of a request has come, or it has become a WebSocket.
      if (!isSilent(socket)) this.#all.delete(socket);
      else if (connectedAt > lastTurn) this.#hold(socket);
    }
  }

  /** Reads so many of them again, and those that can wait no longer. @returns whether there were any */
  release(count: number): boolean {
    const lastTurn = this.#lastTurn;
    let left = count;
    for (const socket of this.#held) {
      if (left-- <= 0 && (this.#all.get(socket) ?? 0) > lastTurn) break;
      this.#held.delete(socket);
      socket.resume();
    }
    return left < count;
  }

  /**
   * Sockets that were connected before it are read in any case: `performance.now()`. To a client of which nothing was read for
   * too long the server answers 408, or nothing at all, and an EventSource would not come back.
   */
  get #lastTurn(): number {
    const { headersTimeout = 0, requestTimeout = 0, timeout = 0 } = this.#server ?? {};
    const limits = [headersTimeout, requestTimeout, timeout].filter((limit) => limit > 0);
    return performance.now() - Math.min(...limits) / 2;
  }

  /** Destroys them, as a server that closes waits for them: Node counts as idle only those that were used. */
  destroy(): void {
    for (const socket of this.#all.keys()) if (isSilent(socket)) socket.destroy();
  }

  #hold(socket: Socket): void {
    if (!isSilent(socket) || socket.isPaused()) return;
    socket.pause();
    this.#held.add(socket);
  }
}

/** Whether nothing was read from it. A socket that has become a WebSocket never had a request either. */
const isSilent = (socket: Socket): boolean => socket.bytesRead === 0;
