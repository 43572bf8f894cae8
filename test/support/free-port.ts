import { createServer } from 'node:net';

/** Below these are ports that no system gives to outgoing connections. */
const LOWEST = 20_000;
const COUNT = 10_000;

/**
 * A port of this machine that nobody listens on, and that no connection is given by chance: so it stays
 * free while who listens there is started again, and nobody who tries to connect then meets himself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
