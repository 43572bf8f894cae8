import { Server } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import type { HttpAdapterHost } from '@nestjs/core';
import { UnusedSockets } from '../../../src/sse/http/unused-sockets.js';

let now: number;
let server: Server;
let sockets: UnusedSockets;

beforeEach(() => {
  now = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  server = new Server();
  server.removeAllListeners('connection');
  sockets = new UnusedSockets({ httpAdapter: { getHttpServer: () => server } } as unknown as HttpAdapterHost);
  sockets.onApplicationBootstrap();
});

afterEach(() => {
  jest.restoreAllMocks();
});

function connected(count: number): Socket[] {
  const all = Array.from({ length: count }, () => new Socket());
  for (const socket of all) server.emit('connection', socket);
  return all;
}

const held = (all: readonly Socket[]): boolean[] => all.map((socket) => socket.isPaused());

it('are read again in the order in which they came, and so are those that come meanwhile', () => {
  const first = connected(2);
  sockets.hold();
  const all = [...first, ...connected(2)];
  expect(held(all)).toEqual([true, true, true, true]);
  expect(sockets.release(3)).toBe(true);
  expect(held(all)).toEqual([false, false, false, true]);
  expect(sockets.release(3)).toBe(true);
  expect(sockets.areHeld).toBe(false);
  expect(sockets.release(3)).toBe(false);
});

it.each([
  ['headersTimeout', 'requestTimeout'],
  ['requestTimeout', 'headersTimeout'],
] as const)('are read before the server turns them away for silence (%s)', (short, long) => {
  server[short] = 10_000;
  server[long] = 20_000;
  const all = connected(2);
  now = 4_000;
  sockets.hold();
  all.push(...connected(2));
  now = 5_000;
  sockets.release(1);
  expect(held(all)).toEqual([false, false, true, true]);
  now = 9_000;
  sockets.release(1);
  expect(held(all)).toEqual([false, false, false, false]);
  sockets.hold();
  expect(sockets.areHeld).toBe(false);
});

it('may be held for as long as it takes by a server that waits for ever', () => {
  server.headersTimeout = server.requestTimeout = 0;
  const all = connected(3);
  sockets.hold();
  now = 1e6;
  sockets.release(1);
  expect(held(all)).toEqual([false, true, true]);
});
