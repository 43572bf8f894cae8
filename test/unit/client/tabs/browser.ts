import { Random } from '../../../e2e/streams/random.js';

/*
 * A browser in memory, as far as tabs use one: Web Locks, BroadcastChannel, timers, and the life of a page. Its time passes as fast as
 * the code can run, and a seed decides how long each message takes, so the same seed gives the same run.
 *
 * All tabs share one realm. So one task runs at a time, up to its last microtask, and the globals are those of its tab.
 */

const realImmediate = globalThis.setImmediate;
const realNow = Date.now;
const realRandom = Math.random;
const realTimeout = globalThis.setTimeout;
/** When time begins: milliseconds since 1970. */
const EPOCH = 1_800_000_000_000;

/** What is due when. Of one moment, what was set first comes first. */
export class Time {
  now = 0;
  /** Called after each task. */
  look = (): void => undefined;
  readonly #tasks: { readonly at: number; readonly run: () => void }[] = [];

  after(milliseconds: number, run: () => void): void {
    const at = this.now + milliseconds;
    const before = this.#tasks.findIndex((task) => task.at > at);
    this.#tasks.splice(before < 0 ? this.#tasks.length : before, 0, { at, run });
  }

  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (;;) {
      await new Promise<void>((done) => realImmediate(done));
      this.look();
      const [next] = this.#tasks;
      if (!next || next.at > end) break;
      this.#tasks.shift();
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    this.now = end;
  }
}

/** Keeps the order of what is sent, and lets each take its time. */
export class Pipe {
  #last = 0;

  constructor(
    private readonly time: Time,
    private readonly latency: () => number,
  ) {}

  send(run: () => void): void {
    this.#last = Math.max(this.#last, this.time.now + this.latency());
    this.time.after(this.#last - this.time.now, run);
  }
}

/** A page: what is told to a stopped one waits, as its tasks do. */
export class Page {
  life: 'running' | 'stopped' | 'gone' = 'running';
  readonly window = new EventTarget();
  readonly document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  readonly #held: (() => void)[] = [];

  constructor(
    readonly browser: Browser,
    readonly name: string,
    readonly mayLock: boolean,
  ) {}

  run(task: () => void): void {
    if (this.life === 'stopped') this.#held.push(task);
    else if (this.life === 'running') this.browser.enter(this, task);
  }

  /** Tells the page that it is put aside or taken back; the event is the last or the first that it sees. */
  tell(target: EventTarget, type: string): void {
    this.run(() => target.dispatchEvent(new Event(type)));
  }

  stop(): void {
    if (this.life === 'running') this.life = 'stopped';
  }

  goOn(): void {
    if (this.life !== 'stopped') return;
    this.life = 'running';
    for (const task of this.#held.splice(0)) this.browser.time.after(0, () => this.run(task));
  }

  end(): void {
    this.life = 'gone';
    this.browser.forget(this);
  }
}

interface Options {
  readonly signal?: AbortSignal;
  readonly steal?: boolean;
}

interface LockRequest {
  readonly page: Page;
  readonly pipe: Pipe;
  /** Whether nobody waits for it any more; from now on it cannot be given up. */
  readonly isGivenUp: () => boolean;
  readonly held: () => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

interface Lock {
  holder: LockRequest | undefined;
  queue: LockRequest[];
}

class Channel {
  onmessage: ((event: { readonly data: unknown }) => void) | undefined;
  isOpen = true;
  /** To each other, so that a sender's messages stay in order. */
  readonly pipes = new Map<Channel, Pipe>();

  constructor(
    readonly name: string,
    readonly page = browserNow().page,
    private readonly browser = browserNow(),
  ) {
    browser.channels.add(this);
  }

  postMessage(message: unknown): void {
    if (!this.isOpen) throw new DOMException('It is closed.', 'InvalidStateError');
    const data: unknown = structuredClone(message);
    for (const other of this.browser.channels) {
      if (other === this || other.name !== this.name) continue;
      const pipe = this.pipes.get(other) ?? this.browser.pipe();
      this.pipes.set(other, pipe);
      pipe.send(() => other.page.run(() => other.isOpen && other.onmessage?.({ data: structuredClone(data) })));
    }
  }

  close(): void {
    this.isOpen = false;
    this.browser.channels.delete(this);
  }
}

let present: Browser | undefined;
const browserNow = (): Browser => present!;

export class Browser {
  readonly time = new Time();
  readonly channels = new Set<Channel>();
  /** Whose task runs. */
  page!: Page;
  /** How often a lock was stolen. */
  steals = 0;
  readonly #locks = new Map<string, Lock>();

  /** @param slowness milliseconds that a message takes at most, as a rule */
  constructor(
    readonly random: Random,
    private readonly slowness: number,
  ) {
    present = this;
    Date.now = () => EPOCH + Math.floor(this.time.now);
    Math.random = () => random.next();
    globalThis.setTimeout = ((task: () => void, milliseconds = 0) => this.#timer(task, milliseconds)) as never;
  }

  /** Gives clocks, timers and chance back. */
  end(): void {
    Date.now = realNow;
    Math.random = realRandom;
    globalThis.setTimeout = realTimeout;
  }

  latency = (): number =>
    this.random.next() < 0.02 ? this.random.between(0, 20 * this.slowness) : this.random.between(0, this.slowness);

  pipe(): Pipe {
    return new Pipe(this.time, this.latency);
  }

  enter(page: Page, task: () => void): void {
    this.page = page;
    task();
  }

  /** In a hidden page timers are late, and after a while very late. */
  #timer(task: () => void, milliseconds: number): void {
    const { page, random } = this;
    const isHidden = page.document.visibilityState === 'hidden';
    const late = isHidden ? (random.next() < 0.2 ? random.between(0, 20_000) : 1_000) : 0;
    this.time.after(Math.max(1, milliseconds + late), () => page.run(task));
  }

  // ---- Locks

  request(name: string, { signal, steal }: Options, held: () => Promise<unknown>): Promise<unknown> {
    const { page } = this;
    if (!page.mayLock) return Promise.reject(new DOMException('Not here.', 'SecurityError'));
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const lock: Lock = this.#locks.get(name) ?? { holder: undefined, queue: [] };
    this.#locks.set(name, lock);
    return new Promise((resolve, reject) => {
      const isGivenUp = (): boolean => {
        signal?.removeEventListener('abort', giveUp);
        return signal?.aborted ?? false;
      };
      const request: LockRequest = { page, pipe: this.pipe(), held, resolve, reject, isGivenUp };
      const giveUp = (): void => {
        lock.queue = lock.queue.filter((other) => other !== request);
        reject(signal!.reason as Error);
      };
      signal?.addEventListener('abort', giveUp);
      if (steal) {
        this.steals++;
        const { holder } = lock;
        lock.holder = undefined;
        if (holder) this.#tell(holder, () => holder.reject(new DOMException('Stolen.', 'AbortError')));
        lock.queue.unshift(request);
      } else lock.queue.push(request);
      this.#grant(lock);
    });
  }

  #tell({ pipe, page }: LockRequest, news: () => void): void {
    pipe.send(() => page.run(news));
  }

  #grant(lock: Lock): void {
    if (lock.holder) return;
    const request = (lock.holder = lock.queue.shift());
    if (!request) return;
    const release = (): void => this.#release(lock, request);
    this.#tell(request, () => {
      if (request.isGivenUp()) return release();
      void request.held().then((value) => {
        release();
        request.resolve(value);
      }, request.reject);
    });
  }

  #release(lock: Lock, request: LockRequest): void {
    if (lock.holder !== request) return;
    lock.holder = undefined;
    this.#grant(lock);
  }

  /** A page is gone, and what it has held is free. */
  forget(page: Page): void {
    for (const channel of this.channels) if (channel.page === page) channel.close();
    for (const lock of this.#locks.values()) {
      lock.queue = lock.queue.filter((request) => request.page !== page);
      if (lock.holder?.page === page) this.#release(lock, lock.holder);
    }
  }
}

const define = (name: string, descriptor: PropertyDescriptor): void =>
  void Object.defineProperty(globalThis, name, { configurable: true, ...descriptor });

define('isSecureContext', { value: true });
define('navigator', {
  value: { locks: { request: (...how: Parameters<Browser['request']>) => browserNow().request(...how) } },
});
define('BroadcastChannel', { value: Channel });
define('document', { get: () => present?.page.document });
define('addEventListener', {
  value: (...how: Parameters<EventTarget['addEventListener']>) => browserNow().page.window.addEventListener(...how),
});
