import {
  type BackplaneCall,
  hubClosed,
  noAnswer,
  notSent,
  reasonOf,
  type SseError,
} from '../../sse.errors.js';
import { withTimeout } from '../../with-timeout.js';
import type { Draft } from './draft.js';
import type { LmdbOptions } from './lmdb.options.js';

/** Stands for the channel in calls about several channels, or about none. */
export const NO_CHANNEL = '';

/** A planned call is answered at once, or when the draft is committed; or it waits for the next draft. */
export type Outcome<T> = { readonly now: T } | { readonly afterCommit: () => T } | 'later';

/**
 * The kind of a call. A publisher must know whether something was stored. A call that gives room back shares no
 * transaction with others: those may fail because the disk is full.
 */
type Kind = 'publish' | 'room' | 'other';

/** A call that has no answer yet, or was refused for being late. */
interface Call {
  readonly kind: Kind;
  readonly channel: string;
  readonly since: number;
  readonly plan: (draft: Draft) => Outcome<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  isOver: boolean;
}

/**
 * Takes the calls in their order, in one transaction after the other. The calls that come while one is being committed
 * share the next: on a slow disk transactions get larger, and no fewer events are stored.
 */
export class CommitQueue {
  #waiting: Call[] = [];
  /**
   * The calls whose answers depend on the present draft, and how these are made. Replaced and not cleared: a cleared Map's old
   * table would keep the calls of all later drafts (see channels/channel.ts).
   */
  #planned = new Map<Call, () => unknown>();
  #work: Promise<void> | undefined;
  #isClosed = false;

  /**
   * @param begin makes an empty draft; throws when the data on the disk cannot be used
   * @param commit rejects when nothing of the draft was written
   */
  constructor(
    private readonly begin: () => Draft,
    private readonly commit: (draft: Draft) => Promise<void>,
    private readonly settings: Required<LmdbOptions>,
  ) {}

  /**
   * Plans a call when it is its turn, and answers it.
   *
   * @throws SseError `HUB_CLOSED`. For a publish `PUBLISH_REJECTED`, or `PUBLISH_UNCERTAIN`: the
   * transaction did not end in time. For other calls `BACKPLANE_AWAY`
   */
  run<T>(kind: Kind, channel: string, plan: (draft: Draft) => Outcome<T>): Promise<T> {
    const { path, maxPending } = this.settings;
    return new Promise<T>((resolve, reject) => {
      if (this.#isClosed) throw hubClosed();
      if (this.#waiting.length + this.#planned.size >= maxPending)
        throw notSent(callOf(kind), `${maxPending} calls wait for ${path}, which is maxPending.`);
      const answers = { resolve: resolve as Call['resolve'], reject, isOver: false };
      this.#waiting.push({ kind, channel, since: performance.now(), plan, ...answers });
      // In a microtask, so that calls that are made in a row share a transaction.
      this.#work ??= Promise.resolve().then(() => this.#takeAll());
    });
  }

  /** Refuses the waiting calls, and answers whether the last transaction has ended within `publishTimeout`. */
  close(): Promise<boolean> {
    this.#isClosed = true;
    for (const call of this.#waiting.splice(0)) refuse(call, hubClosed());
    const ended = Promise.resolve(this.#work).then(() => true);
    return withTimeout(ended, this.settings.publishTimeout, () => false);
  }

  async #takeAll(): Promise<void> {
    const watch = setInterval(() => this.#refuseLate(), Math.max(this.settings.publishTimeout / 4, 1));
    watch.unref();
    try {
      while (this.#waiting.length > 0) {
        const draft = this.begin();
        this.#plan(draft);
        if (!draft.isEmpty) await this.#commit(draft);
      }
    } catch (error) {
      // Without a draft no call can be planned.
      for (const call of this.#waiting.splice(0)) refuse(call, this.#notTaken(call, error));
    }
    clearInterval(watch);
    this.#work = undefined;
  }

  /** A call that waits for the next draft holds back the later ones of its channel. */
  #plan(draft: Draft): void {
    const givesRoom = this.#waiting[0]?.kind === 'room';
    const deferred = new Set<string>();
    this.#waiting = this.#waiting.filter((call) => {
      if (draft.isFull) return true;
      const fits = (call.kind === 'room') === givesRoom && !deferred.has(call.channel);
      const isTaken = fits && this.#take(call, draft);
      if (!isTaken) deferred.add(call.channel);
      return !isTaken;
    });
  }

  #take(call: Call, draft: Draft): boolean {
    try {
      const outcome = call.plan(draft);
      if (outcome === 'later') return false;
      if ('now' in outcome) answer(call, () => outcome.now);
      else this.#planned.set(call, outcome.afterCommit);
    } catch (error) {
      refuse(call, error);
    }
    return true;
  }

  async #commit(draft: Draft): Promise<void> {
    try {
      await this.commit(draft);
      for (const [call, make] of this.#planned) answer(call, make);
    } catch (error) {
      for (const call of this.#planned.keys()) refuse(call, this.#notTaken(call, error));
    }
    this.#planned = new Map();
  }

  #refuseLate(): void {
    const { path, publishTimeout } = this.settings;
    const latest = performance.now() - publishTimeout;
    const why = `${path} did not answer within ${publishTimeout} ms.`;
    for (const call of this.#planned.keys())
      if (call.since <= latest) refuse(call, noAnswer(callOf(call.kind), why));
    for (const call of this.#waiting) if (call.since <= latest) refuse(call, notSent(callOf(call.kind), why));
    this.#waiting = this.#waiting.filter(({ isOver }) => !isOver);
  }

  #notTaken({ kind }: Call, cause: unknown): SseError {
    return notSent(callOf(kind), `${this.settings.path} did not take it: ${reasonOf(cause)}.`, { cause });
  }
}

/** Answers a call, unless it was refused. */
function answer(call: Call, make: () => unknown): void {
  if (call.isOver) return;
  call.isOver = true;
  try {
    call.resolve(make());
  } catch (error) {
    call.reject(error);
  }
}

function refuse(call: Call, error: unknown): void {
  call.isOver = true;
  call.reject(error);
}

const callOf = (kind: Kind): BackplaneCall => (kind === 'publish' ? 'publish' : 'other');
