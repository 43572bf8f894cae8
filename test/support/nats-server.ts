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

/** Times that a start which ends in a crash is tried again. */
const MAX_CRASHES = 20;

/** What a program written in Go says of its crash; empty where it has ended otherwise. */
const crashIn = (output: string): string =>
  /^(panic|fatal error|SIG[A-Z]+): [^]{0,600}/m.exec(output)?.[0] ?? '';

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
    const started = await this.#started();
    this.#process = started;
    void started.ended.then((code) => {
      // Version 2.9.10 crashes now and then, mostly when it is asked for a message while it starts. Whoever runs it starts it
      // again.
      if (this.#process !== started) return;
      console.warn(
        `nats-server crashed (${code ?? 'killed'}) and is started again:\n${crashIn(started.output())}`,
      );
      this.#restarting = this.start().finally(() => {
        this.#restarting = undefined;
      });
    });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#restarting;
    const running = this.#process;
    this.#process = undefined;
    await running?.stop(signal);
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

  /** One that has crashed before it was ready is started once more, a few times. */
  async #started(): Promise<RunningProcess> {
    const { jetstream = true, args = [] } = this.options;
    const store = jetstream ? ['--jetstream', '--store_dir', this.#store] : [];
    const all = ['--addr', '127.0.0.1', '--port', String(this.port), ...store, ...args];
    for (let crashes = 0; ; crashes++) {
      try {
        return await start(this.path, all, /Server is ready/);
      } catch (error) {
        if (crashes === MAX_CRASHES || crashIn((error as Error).message) === '') throw error;
      }
    }
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
