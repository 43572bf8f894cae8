import { page } from '../environment.js';
import type { ConnectionState } from '../state.js';
import type { ChannelsReceiver } from '../transport.js';
import { aborted, locks, type LockOptions, type Locks } from './locks.js';

/** Milliseconds between questions for a sign of life. */
const INTERVAL = 1_000;
/** Questions without an answer after which another tab takes the place of the leader. */
const MAX_UNANSWERED = 3;
/** Milliseconds that may be added, so that two tabs do not take it at once; more after each time. */
const JITTER = 100;

/** Positions by the name of their channel. */
export type Positions = Map<string, string>;

/** What the leader tells all tabs, itself included, in one order. */
export interface Told extends Required<Pick<ChannelsReceiver, 'moved' | 'receive' | 'joined' | 'refused'>> {
  /** Where the shared stream is, and which tabs want which channels: when a tab begins to lead, and for a new tab. */
  led(streamed: Positions, wanted: Map<string, Positions>, state: ConnectionState | undefined): void;
  /** A tab wants these channels from now on; undefined for a tab that is gone. */
  wants(tab: string, channels?: Positions): void;
}

export type Tell = <Call extends keyof Told>(call: Call, ...args: Parameters<Told[Call]>) => void;

/** A tab, as its group sees it. */
export interface Tab extends Told {
  /** What it knows of the shared stream, for `led()` of another. */
  known(): Parameters<Told['led']>;
  /** The channels that it wants. */
  wanted(): Positions;
  /** It goes on with the shared stream, and tells all tabs what comes. */
  lead(tell: Tell): { readonly close: () => void };
  /** It takes no part any more: nothing is shared with it. */
  left(): void;
  /** The browser does not let it share: it has to stream by itself. */
  alone(): void;
}

/** A message of the leader; without a call it is a sign of life. */
interface Leading {
  readonly term: number;
  readonly call?: keyof Told;
  readonly args?: readonly unknown[];
}

/** A message of a tab: what it wants or, without that, a question for a sign of life. */
interface Asking {
  readonly tab: string;
  readonly wanted?: Positions;
}

/**
 * The tabs that share a stream, seen from one of them, and which of them leads.
 *
 * - The leader has the lock of the group, and the others wait for it. Each tab has a lock of its own: when the leader can have
 *   that, the tab is gone.
 * - Each leader has a greater term than the one before. A tab heeds the greatest that it has heard of.
 * - A frozen leader keeps its lock. So tabs that are looked at ask for a sign of life, which is given where timers are throttled,
 *   too, and take the lock from a leader that gives none.
 * - A page that is frozen or left takes no part until it is shown again.
 */
export class TabGroup {
  #id = '';
  #term = 0;
  /** Questions since the last sign of life. */
  #unanswered = 0;
  /** The attempts to lead, and one. */
  #attempts = 1;
  /** Of this tab, if it leads. Aborting `over` ends that. */
  #leader: { readonly answer: (asking: Asking) => void; readonly over: AbortController } | undefined;
  /** Aborts when this tab takes no part any more. */
  #here: AbortController | undefined;
  #channel: InstanceType<typeof BroadcastChannel> | undefined;
  readonly #closing = new AbortController();

  readonly #name: string;
  readonly #tab: Tab;

  constructor(name: string, tab: Tab) {
    this.#name = name;
    this.#tab = tab;
  }

  start(): void {
    const { signal } = this.#closing;
    const listen = (target: Partial<EventTarget> | undefined, gone: string, back: string): void => {
      target?.addEventListener?.(gone, this.#leave, { signal });
      target?.addEventListener?.(back, this.#enter, { signal });
    };
    listen(page, 'pagehide', 'pageshow');
    listen(page.document, 'freeze', 'resume');
    this.#enter();
  }

  close(): void {
    this.#closing.abort();
    this.#leave();
  }

  /** Says which channels the tab wants. */
  say(): void {
    const asking = { tab: this.#id, wanted: this.#tab.wanted() };
    if (this.#leader) this.#leader.answer(asking);
    else this.#post(asking);
  }

  // ---- Its part in the group

  readonly #enter = (): void => {
    if (this.#here) return;
    const { signal } = (this.#here = new AbortController());
    this.#id = String(Math.random());
    this.#term = this.#unanswered = 0;
    const begin = (): Promise<unknown> => {
      this.#channel = new BroadcastChannel(this.#name);
      this.#channel.onmessage = ({ data }: { readonly data: unknown }) =>
        this.#heard(data as Leading | Asking);
      this.say();
      this.#watch(signal);
      void this.#queue(signal);
      return aborted(signal);
    };
    this.#request(this.#id, { signal }, begin).catch(() => {
      if (!signal.aborted) this.#tab.alone();
    });
  };

  readonly #leave = (): void => {
    this.#leader?.over.abort();
    this.#here?.abort();
    this.#here = undefined;
    this.#channel?.close();
    this.#tab.left();
  };

  #request(tab: string, ...how: Parameters<Locks['request']> extends [string, ...infer Rest] ? Rest : never) {
    return (locks as Locks).request(this.#name + tab, ...how);
  }

  #post(message: Leading | Asking): void {
    try {
      this.#channel?.postMessage(message);
    } catch {
      // It is closed. Or a state has an error that cannot be sent: others come to the same by themselves.
    }
  }

  #heard(message: Leading | Asking): void {
    if ('tab' in message) return this.#leader?.answer(message);
    const { term, call, args } = message;
    if (term < this.#term) return;
    this.#unanswered = 0;
    const isNew = term > this.#term;
    // A new leader begins with where it is. A tab that has heard of it knows that already.
    if (!call || isNew !== (call === 'led')) return;
    this.#term = term;
    if (isNew) this.#leader?.over.abort();
    this.#tab[call](...(args as [never, never, never]));
    if (isNew) this.say();
  }

  // ---- Its leader

  /** Leads when it is the turn of this tab, again and again. */
  async #queue(here: AbortSignal): Promise<void> {
    while (await this.#hold({ signal: here }));
  }

  /** Leads for as long as it has the lock. @returns undefined if it never had it */
  #hold(how: LockOptions): Promise<unknown> {
    let over: AbortController | undefined;
    const done = (): unknown => {
      over?.abort();
      return over;
    };
    return this.#request('', how, () => aborted((over = this.#lead()).signal)).then(done, done);
  }

  /** The lock may be taken away from it, or it may hear of a later leader: of two tabs that take it at once, one may be told late. */
  #lead(): AbortController {
    // Of its own, too.
    this.#leader?.over.abort();
    // By the clock, as this tab may have heard of no term; and by chance, as two may begin in one millisecond.
    const term = Math.max(Date.now(), this.#term + 1) + Math.random();
    this.#term = term;
    const over = new AbortController();
    const { signal } = over;
    const tell: Tell = (call, ...args) => {
      if (signal.aborted) return;
      this.#post({ term, call, args });
      this.#tab[call](...(args as [never, never, never]));
    };
    const stream = this.#tab.lead(tell);
    const show = (): void => this.#post({ term, call: 'led', args: this.#tab.known() });
    const watch = (tab: string): void => {
      this.#request(tab, { signal }, async () => tell('wants', tab)).catch(() => undefined);
    };
    signal.addEventListener('abort', () => {
      stream.close();
      this.#leader = undefined;
    });
    const answer = ({ tab, wanted }: Asking): void => {
      if (!wanted) return this.#post({ term });
      if (!this.#tab.known()[1].has(tab)) {
        show();
        watch(tab);
      }
      tell('wants', tab, wanted);
    };
    this.#leader = { answer, over };
    show();
    for (const tab of this.#tab.known()[1].keys()) watch(tab);
    this.say();
    return over;
  }

  /** Asks for signs of life, as long as this tab takes part. */
  #watch(here: AbortSignal): void {
    if (here.aborted) return;
    if (this.#leader || page.document?.visibilityState === 'hidden') this.#unanswered = 0;
    else if (this.#unanswered++ < MAX_UNANSWERED) this.#post({ tab: this.#id });
    else {
      this.#unanswered = 0;
      this.#attempts++;
      void this.#hold({ steal: true });
    }
    setTimeout(() => this.#watch(here), INTERVAL + Math.random() * JITTER * this.#attempts);
  }
}
