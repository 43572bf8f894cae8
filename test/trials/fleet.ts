import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { HubStats, PresenceMember, SseModuleOptions } from '../../src/sse/index.js';
import { whenTestEnds } from '../support/clean-up.js';
import { freePort } from '../support/free-port.js';
import { startNginx } from '../support/nginx.js';

const program = fileURLToPath(new URL('instance.js', import.meta.url));

export interface FleetOptions {
  /** How many instances. */
  readonly count: number;
  readonly backplane: 'redis' | 'nats' | 'lmdb';
  /** Where its server is, or its directory. */
  readonly url: string;
  readonly sse?: Omit<SseModuleOptions, 'backplane'>;
  /** Whether a stream belongs to the user that its query names. */
  readonly hasUsers?: boolean;
  readonly remote?: { readonly publishTimeout?: number; readonly prefix?: string };
}

/** A source that an instance pipes into a channel: 0, 1, 2 and so on. */
export interface PipedNumbers {
  /** How many, before it ends by itself. For ever, if it is left out. */
  readonly count?: number;
  /** Milliseconds between two. */
  readonly interval?: number;
  /** Whether its last event is one that the application forms. */
  readonly forms?: boolean;
  readonly complete?: boolean;
}

/** What became of a publication: its id, or an error's code; `LOST` where the instance ended before it said. */
export type Outcome = { readonly id: string } | { readonly code: string };

export interface KeptEvent {
  readonly id: string;
  readonly data: string;
}

/** Bytes, right after a garbage collection. */
export interface Memory {
  /** What the process has of the machine's memory. */
  readonly rss: number;
  /** What it needs of that for objects. */
  readonly heapUsed: number;
}

/** One instance of the application, in a process of its own; always on the same port. */
export class Instance {
  #child: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  #output = '';
  #calls = 0;
  readonly #pending = new Map<number, { done: (value: unknown) => void; lost: () => void }>();

  constructor(
    readonly port: number,
    private readonly options: FleetOptions,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const settings = JSON.stringify({ ...this.options, port: this.port });
    const child = fork(program, [settings], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: ['--expose-gc'],
    });
    for (const stream of [child.stdout!, child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    const ended = once(child, 'close');
    void ended.then(() => this.#lose(child));
    this.#ended = ended;
    const isReady = await Promise.race([once(child, 'message').then(() => true), ended.then(() => false)]);
    if (!isReady) throw new Error(`The instance ended before it was ready:\n${this.#output}`);
    child.on('message', ({ call, value }: { call: number; value: unknown }) => {
      this.#pending.get(call)?.done(value);
      this.#pending.delete(call);
    });
    this.#child = child;
  }

  /** Ends it, by SIGTERM as a deployment does, or with no time to do anything. It counts as gone from now on. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    child?.kill(signal);
    await this.#ended;
  }

  /** Has it do nothing at all, or go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  /** Begins to pipe. */
  async pipe(channel: string, source: PipedNumbers = {}): Promise<void> {
    await this.#call('pipe', channel, source);
  }

  /** What became of that: how many events, or an error's code. */
  async piped(channel: string): Promise<{ readonly id: number } | { readonly code: string }> {
    return (await this.#call('piped', channel)) as { id: number } | { code: string };
  }

  async publish(channel: string, data: string, publishId?: string): Promise<Outcome> {
    const args = publishId === undefined ? [channel, data] : [channel, data, publishId];
    return (await this.#call('publish', ...args).catch(() => ({ code: 'LOST' }))) as Outcome;
  }

  /** Everything that is kept of a channel, oldest first. */
  async history(channel: string): Promise<KeptEvent[]> {
    return (await this.#call('history', channel)) as KeptEvent[];
  }

  /** Who is in a channel, each with as many connections. */
  async presence(channel: string): Promise<Record<string, number>> {
    const members = (await this.#call('presence', channel)) as PresenceMember[];
    return Object.fromEntries(members.map(({ user, connections }) => [user, connections]));
  }

  async stats(): Promise<HubStats> {
    return (await this.#call('stats')) as HubStats;
  }

  async memory(): Promise<Memory> {
    return (await this.#call('memory')) as Memory;
  }

  #call(command: string, ...args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const lost = (): void => reject(new Error(`The instance has ended:\n${this.#output}`));
      const call = this.#calls++;
      this.#pending.set(call, { done: resolve, lost });
      // It may have ended just now: then there is nobody to answer.
      if (this.#child?.connected) this.#child.send({ call, command, args }, (error) => error && lost());
      else lost();
    });
  }

  #lose(child: ChildProcess): void {
    if (this.#child === child) this.#child = undefined;
    for (const { lost } of this.#pending.values()) lost();
    this.#pending.clear();
  }
}

/** Several instances of one application on one server. */
export class Fleet {
  private constructor(readonly instances: readonly Instance[]) {}

  /** Starts instances that all end with the test. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = await Fleet.of(options);
    whenTestEnds(() => fleet.end());
    await fleet.complete();
    return fleet;
  }

  /** Instances that do not run yet, for several tests: whoever starts them ends them. */
  static async of(options: FleetOptions): Promise<Fleet> {
    const ports: number[] = [];
    while (ports.length < options.count) ports.push(await freePort());
    return new Fleet(ports.map((port) => new Instance(port, options)));
  }

  /** Starts those that do not run. */
  async complete(): Promise<void> {
    const missing = this.instances.filter(({ isRunning }) => !isRunning);
    await Promise.all(missing.map((instance) => instance.start()));
  }

  /** Kills all. */
  async end(): Promise<void> {
    await Promise.all(this.instances.map((instance) => instance.end('SIGKILL')));
  }

  get running(): Instance[] {
    return this.instances.filter(({ isRunning }) => isRunning);
  }

  /** Starts an nginx in front of all of them, and answers with its address. */
  behind(nginx: string): Promise<string> {
    return startNginx(
      nginx,
      this.instances.map(({ port }) => port),
    );
  }
}
