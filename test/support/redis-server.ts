import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { freePort } from './free-port.js';
import { start, type RunningProcess } from './process.js';

export interface RedisServerOptions {
  /** Whether it keeps what it has in a file, at once. By default it has nothing after a restart. */
  persistent?: boolean;
  /** More arguments of `redis-server`. */
  args?: readonly string[];
}

/** A Redis of a test's own, on a free port and in a temporary folder. */
export class RedisServer {
  #process: RunningProcess | undefined;

  private constructor(
    private readonly path: string,
    readonly port: number,
    /** Where its files are. */
    readonly folder: string,
    private readonly options: RedisServerOptions,
  ) {}

  static async start(path: string, options: RedisServerOptions = {}): Promise<RedisServer> {
    const folder = await mkdtemp(join(tmpdir(), 'redis-'));
    const server = new RedisServer(path, await freePort(), folder, options);
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it again, with what its folder has. */
  async start(): Promise<void> {
    const { persistent = false, args = [] } = this.options;
    const persistence = persistent
      ? ['--appendonly', 'yes', '--appendfsync', 'always']
      : ['--appendonly', 'no'];
    this.#process = await start(
      this.path,
      [
        ...['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder, '--save', ''],
        ...persistence,
        ...args,
      ],
      /Ready to accept connections/,
    );
  }

  /** Ends it, by default as a power loss does. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process?.stop(signal);
    this.#process = undefined;
  }

  /** Stops it from running, with its connections open. */
  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  /** Runs one command on a connection of its own. */
  async command(...args: string[]): Promise<unknown> {
    return commandAt(this.port, ...args);
  }

  /** Ends it for good, frozen or not, and removes its folder. */
  async dispose(): Promise<void> {
    if (this.#process) this.thaw();
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  #signal(signal: NodeJS.Signals): void {
    if (!this.#process) throw new Error('The server is not running.');
    process.kill(this.#process.pid, signal);
  }
}

/** Runs one command at a port of this machine, on a connection of its own. */
export async function commandAt(port: number, ...args: string[]): Promise<unknown> {
  const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP: 2 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await client.sendCommand(args);
  } finally {
    client.destroy();
  }
}
