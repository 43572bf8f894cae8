import type { Socket } from 'node:net';
import type { Exchange } from './exchange.js';

/** Those who wait for a socket to close; one listener for all, however many requests were sent ahead on it. */
const waiting = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls a listener once when a response is over: ended, or its client gone.
 *
 * A response that waits behind another one on the same connection, because the client did not wait for
 * it, has no socket yet and never hears of its end. For that one the socket is asked.
 */
export function onceOver({ request, response, isHttp1 }: Exchange, listener: () => void): void {
  response.on('close', listener); // it comes once
  if (!isHttp1 || response.socket) return;
  const socket = request.socket as Socket | undefined;
  if (!socket) return; // where the runtime only resembles node:http
  const listeners = waiting.get(socket) ?? listenTo(socket);
  listeners.add(listener);
  response.on('close', () => listeners.delete(listener));
}

function listenTo(socket: Socket): Set<() => void> {
  const listeners = new Set<() => void>();
  waiting.set(socket, listeners);
  socket.once('close', () => {
    for (const listener of listeners) listener();
  });
  return listeners;
}
