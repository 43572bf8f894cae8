import { listenTo } from '../diagnostics/listen.js';

/** What one instance did in a second, and what it holds. */
export interface Figures {
  /** Events that were published here, and calls that failed. */
  readonly published: number;
  readonly failed: number;
  readonly deliveries: number;
  readonly replayed: number;
  readonly bytes: number;
  /** Milliseconds from the publishing of an event to its delivery: the least and the most; null without deliveries. */
  readonly latency: readonly [min: number, max: number] | null;
  readonly gaps: number;
  readonly denied: number;
  readonly opened: number;
  readonly ended: number;
  readonly refused: number;
  readonly backedUp: number;
}

type Counters = { -readonly [Name in keyof Figures]: Figures[Name] };

const none = (): Counters => ({
  ...{ published: 0, failed: 0, deliveries: 0, replayed: 0, bytes: 0, latency: null },
  ...{ gaps: 0, denied: 0, opened: 0, ended: 0, refused: 0, backedUp: 0 },
});

/** Milliseconds for which it counts on after an instance has asked. */
const ASKED = 5_000;

/** Counts what happens on this instance, second by second, while somebody looks. Otherwise nothing is heard and no timer runs. */
export class FigureCounter {
  /** The figures of the last whole second. */
  last: Figures = none();
  #now = none();
  #lookers = new Set<() => void>();
  #askedAt = -Infinity;
  #running: { readonly timer: NodeJS.Timeout; readonly stop: () => void } | undefined;

  constructor(private readonly hub: string) {}

  /** Calls a function after each second. @returns ends that */
  look(tick: () => void): () => void {
    this.#lookers.add(tick);
    this.#start();
    return () => {
      this.#lookers.delete(tick);
      if (this.#lookers.size === 0) this.#stopUnlessAsked();
    };
  }

  /** Another instance looks, and says so each second. */
  asked(): Figures {
    this.#askedAt = performance.now();
    this.#start();
    return this.last;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  close(): void {
    this.#lookers.clear();
    this.#stop();
  }

  #start(): void {
    this.#running ??= { timer: setInterval(() => this.#tick(), 1_000).unref(), stop: this.#listen() };
  }

  #tick(): void {
    this.last = this.#now;
    this.#now = none();
    for (const tick of this.#lookers) tick();
    if (this.#lookers.size === 0) this.#stopUnlessAsked();
  }

  #stopUnlessAsked(): void {
    if (performance.now() - this.#askedAt > ASKED) this.#stop();
  }

  #stop(): void {
    clearInterval(this.#running?.timer);
    this.#running?.stop();
    this.#running = undefined;
    this.last = this.#now = none();
  }

  #listen(): () => void {
    const count = (name: 'gaps' | 'denied' | 'opened' | 'ended' | 'refused' | 'backedUp') => () => {
      this.#now[name]++;
    };
    return listenTo(
      {
        'publish:asyncEnd': ({ error }) => {
          if (error === undefined) this.#now.published++;
          else this.#now.failed++;
        },
        'channel:delivered': ({ deliveries, bytes, replayed, lag }) => {
          const now = this.#now;
          now.deliveries += deliveries;
          now.bytes += bytes;
          now.replayed += replayed;
          if (!lag) return;
          const [min, max] = now.latency ?? [Infinity, -Infinity];
          // The clocks of two instances may differ.
          now.latency = [Math.max(0, Math.min(min, lag.min)), Math.max(0, max, lag.max)];
        },
        'connection:opened': count('opened'),
        'connection:ended': count('ended'),
        'connection:refused': count('refused'),
        'connection:backed-up': count('backedUp'),
        'stream:gap': count('gaps'),
        'stream:denied': count('denied'),
      },
      this.hub,
    );
  }
}
