import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { start, type RunningProcess } from './process.js';
import { freePort } from './redis-server.js';

/** A NATS with JetStream of a test's own, on a free port and in a temporary folder. */
export class NatsServer {
  #process: RunningProcess | undefined;

  private constructor(
    private readonly path: string,
    readonly port: number,
    readonly folder: string,
  ) {}

  static async start(path: string): Promise<NatsServer> {
    const server = new NatsServer(path, await freePort(), await mkdtemp(join(tmpdir(), 'nats-')));
    await server.start();
    return server;
  }

  /** Starts it again, with what its folder has. */
  async start(): Promise<void> {
    const args = ['-js', '-a', '127.0.0.1', '-p', String(this.port), '-sd', this.folder];
    this.#process = await start(this.path, args, /Server is ready/);
  }

  /** Ends it, by default as a power loss does. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process?.stop(signal);
    this.#process = undefined;
  }

  async dispose(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
