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
 * Each who wants it listens on a socket of its own in the directory, and then looks whether another one
 * answers. The system closes the socket of a process that was killed, so that nobody answers there any more;
 * its name is never used again, so that to delete it takes nothing from anybody. Two who come in the very
 * same moment may both find the other, but never neither.
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
      // A process that looked between the making of our socket and its listening has deleted it, and was found just
      // now, unless it has gone already. Without the name nobody would find us.
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
  // Exclusive: of a worker of `node:cluster` the first process would have the socket otherwise.
  server.listen({ path, exclusive: true });
  await once(server, 'listening');
  return server.unref();
}

/** Whether somebody listens. One who may not ask, or gets no answer for being one of too many, is told so too. */
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
