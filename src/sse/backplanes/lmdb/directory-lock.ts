import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';

const SOCKET_NAME = /^lock-[0-9a-f]{12}\.sock$/;
/** Operating systems take names of sockets up to 103 bytes; ours has 23 after the directory's. */
export const MAX_DIRECTORY_BYTES = 80;

/**
 * Keeps a directory to one holder, of all processes on this machine, in containers too.
 *
 * Each candidate listens on a socket of its own in the directory, and then looks whether another one answers. The
 * system closes the socket of a process that was killed, so that nobody answers there any more; its name is never used
 * again, so it is safe to delete. Two candidates that come in the same moment may find each other, and then neither has
 * the lock; both of them never have it.
 */
export class DirectoryLock {
  private constructor(private readonly server: Server) {}

  /** The lock, or `undefined` when another one has it. Rejects when the directory takes no socket. */
  static async take(directory: string): Promise<DirectoryLock | undefined> {
    const own = `lock-${randomBytes(6).toString('hex')}.sock`;
    const lock = new DirectoryLock(await listen(join(directory, own)));
    let isHeld = false;
    try {
      for (const name of await readdir(directory)) {
        if (!SOCKET_NAME.test(name) || name === own) continue;
        if (await answers(join(directory, name))) return undefined;
        await rm(join(directory, name), { force: true });
      }
      // A candidate that looked after our socket was made and before it listened has deleted its name. We have found
      // that candidate just now, unless it has gone already; then nobody who comes later would find us.
      isHeld = await answers(join(directory, own));
      return isHeld ? lock : undefined;
    } finally {
      if (!isHeld) await lock.release();
    }
  }

  /** Deletes the socket, too. */
  async release(): Promise<void> {
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }
}

async function listen(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  // Exclusive: otherwise the primary process of `node:cluster` would have the socket of a worker.
  server.listen({ path, exclusive: true });
  await once(server, 'listening');
  return server.unref();
}

/** Whether somebody listens. A connection that is not permitted, or is one too many, counts as an answer. */
async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code !== 'ECONNREFUSED' && code !== 'ENOENT';
  } finally {
    socket.destroy();
  }
}
