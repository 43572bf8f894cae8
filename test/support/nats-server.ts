import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { run, start, type RunningProcess } from './process.js';

export interface NatsServerOptions {
  /** Without it the server keeps nothing. */
  jetstream?: boolean;
  /** More arguments of `nats-server`. */
  args?: readonly string[];
}

/** A NATS server of a test's own, on a free port and with its store in a temporary folder. */
export class NatsServer {
  #process: RunningProcess | undefined;
  #restarting: Promise<void> | undefined;

  private constructor(
    private readonly path: string,
    readonly port: number,
    private readonly folder: string,
    private readonly options: NatsServerOptions,
  ) {}

  static async start(path: string, options: NatsServerOptions = {}): Promise<NatsServer> {
    const folder = await mkdtemp(join(tmpdir(), 'nats-'));
    const server = new NatsServer(path, await freePort(), folder, options);
    await server.start();
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts it again, with what its store has. */
  async start(): Promise<void> {
    const { jetstream = true, args = [] } = this.options;
    const store = jetstream ? ['--jetstream', '--store_dir', this.#store] : [];
    const started = await start(
      this.path,
      ['--addr', '127.0.0.1', '--port', String(this.port), ...store, ...args],
      /Server is ready/,
    );
    this.#process = started;
    void started.ended.then(() => {
      // Version 2.9.10 may panic when it is asked for a message while it starts. Whoever runs it starts it again.
      if (this.#process !== started || !started.output().includes('panic:')) return;
      this.#restarting = this.start().finally(() => {
        this.#restarting = undefined;
      });
    });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#restarting;
    await this.#process?.stop(signal);
    this.#process = undefined;
  }

  /** Stops it from running, with its connections open. Resolves when it has stopped. */
  async freeze(): Promise<void> {
    const pid = this.#signal('SIGSTOP');
    await eventually(async () =>
      (await run('ps', ['-o', 'stat=', '-p', String(pid)])).stdout.startsWith('T'),
    );
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  /** Copies its store while it is stopped. */
  async save(): Promise<void> {
    await rm(this.#copy, { recursive: true, force: true });
    await cp(this.#store, this.#copy, { recursive: true });
  }

  /** Puts the copy in the place of the store. */
  async restore(): Promise<void> {
    await this.empty();
    await cp(this.#copy, this.#store, { recursive: true });
  }

  async empty(): Promise<void> {
    await rm(this.#store, { recursive: true, force: true });
  }

  /** Ends it for good, frozen or not, and removes its folder. */
  async dispose(): Promise<void> {
    await this.stop('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }

  get #store(): string {
    return join(this.folder, 'store');
  }

  get #copy(): string {
    return join(this.folder, 'copy');
  }

  #signal(signal: NodeJS.Signals): number {
    if (!this.#process) throw new Error('The server is not running.');
    const { pid } = this.#process;
    process.kill(pid, signal);
    return pid;
  }
}
