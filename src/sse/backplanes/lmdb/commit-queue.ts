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

/** A planned call is answered at once, or when the draft is committed; or it waits for the next draft. */
export type Outcome<T> = { readonly now: T } | { readonly afterCommit: (call: Call) => T } | 'later';

/**
 * The kind of a call. A publisher must know whether something was stored. A call that gives room back shares no
 * transaction with others: those may fail because the disk is full.
 */
type Kind = 'publish' | 'room' | 'other';

/** A call that has no answer yet, or was too late to get its own. */
export interface Call {
  readonly kind: Kind;
  readonly channel: string;
  readonly since: number;
  isOver: boolean;
}

interface WaitingCall extends Call {
  readonly plan: (draft: Draft) => Outcome<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface PlannedCall {
  readonly call: WaitingCall;
  readonly afterCommit: (call: Call) => unknown;
}

/** Makes and commits the drafts that the queue fills. */
export interface Transactions {
  /** Throws when what is on the disk cannot be made use of. */
  begin(): Draft;
  /** Rejects when nothing of it was written. */
  commit(draft: Draft): Promise<void>;
  /** The calls have their answers. */
  ended(draft: Draft): void;
}

/**
 * Takes the calls in their order, in one transaction after the other: all that come while one is being
 * committed share the next. On a slow disk the transactions get larger, and not the events fewer.
 */
export class CommitQueue {
  #waiting: WaitingCall[] = [];
  #planned: PlannedCall[] = [];
  #work: Promise<void> | undefined;
  #isClosed = false;

  constructor(
    private readonly transactions: Transactions,
    private readonly settings: Required<LmdbOptions>,
  ) {}

  /**
   * Does something to a channel when it is its turn.
   *
   * @throws SseError `HUB_CLOSED`. For who publishes `PUBLISH_REJECTED`, or `PUBLISH_UNCERTAIN`: the
   * transaction did not end in time. For others `BACKPLANE_AWAY`
   */
  run<T>(kind: Kind, channel: string, plan: (draft: Draft) => Outcome<T>): Promise<T> {
    const { path, maxPending } = this.settings;
    if (this.#isClosed) return Promise.reject(hubClosed());
    if (this.#waiting.length + this.#planned.length >= maxPending)
      return Promise.reject(
        notSent(callOf(kind), `${maxPending} calls wait for ${path}, which is maxPending.`),
      );
    return new Promise<T>((resolve, reject) => {
      const call = { kind, channel, since: performance.now(), isOver: false };
      this.#waiting.push({ ...call, plan, resolve: resolve as WaitingCall['resolve'], reject });
      // In a microtask, so that calls that are made in a row share a transaction.
      this.#work ??= Promise.resolve().then(() => this.#takeAll());
    });
  }

  /** Refuses what waits, and answers whether the last transaction has ended: it is given `publishTimeout`. */
  async close(): Promise<boolean> {
    this.#isClosed = true;
    for (const call of this.#waiting) refuse(call, hubClosed());
    this.#waiting = [];
    if (!this.#work) return true;
    const ended = this.#work.then(() => true);
    return withTimeout(ended, this.settings.publishTimeout, () => false);
  }

  async #takeAll(): Promise<void> {
    const watch = setInterval(() => this.#refuseLate(), Math.max(this.settings.publishTimeout / 4, 1));
    watch.unref();
    while (this.#waiting.length > 0) {
      const draft = this.#begin();
      if (!draft) break;
      this.#plan(draft);
      if (!draft.isEmpty) await this.#commit(draft);
    }
    clearInterval(watch);
    this.#work = undefined;
  }

  /** Without a draft nothing can be done for those who wait. */
  #begin(): Draft | undefined {
    try {
      return this.transactions.begin();
    } catch (error) {
      for (const call of this.#waiting) refuse(call, notTaken(call.kind, this.settings.path, error));
      this.#waiting = [];
      return undefined;
    }
  }

  /** All calls of a channel wait if its next one waits for the draft after this. */
  #plan(draft: Draft): void {
    const calls = this.#waiting.filter(({ isOver }) => !isOver);
    const givesRoom = calls[0]?.kind === 'room';
    const later: WaitingCall[] = [];
    const deferred = new Set<string>();
    let taken = 0;
    for (; taken < calls.length && !draft.isFull; taken++) {
      const call = calls[taken] as WaitingCall;
      const fits = (call.kind === 'room') === givesRoom && !deferred.has(call.channel);
      if (!fits || !this.#take(call, draft)) {
        deferred.add(call.channel);
        later.push(call);
      }
    }
    this.#waiting = [...later, ...calls.slice(taken)];
  }

  #take(call: WaitingCall, draft: Draft): boolean {
    try {
      const outcome = call.plan(draft);
      if (outcome === 'later') return false;
      if ('now' in outcome) answer(call, outcome.now);
      else this.#planned.push({ call, afterCommit: outcome.afterCommit });
    } catch (error) {
      refuse(call, error);
    }
    return true;
  }

  async #commit(draft: Draft): Promise<void> {
    try {
      await this.transactions.commit(draft);
    } catch (error) {
      for (const { call } of this.#planned) refuse(call, notTaken(call.kind, this.settings.path, error));
      this.#planned = [];
      return;
    }
    const planned = this.#planned;
    this.#planned = [];
    for (const { call, afterCommit } of planned) {
      try {
        answer(call, afterCommit(call));
      } catch (error) {
        refuse(call, error);
      }
    }
    this.transactions.ended(draft);
  }

  #refuseLate(): void {
    const { path, publishTimeout } = this.settings;
    const latest = performance.now() - publishTimeout;
    const why = `${path} did not answer within ${publishTimeout} ms.`;
    for (const { call } of this.#planned)
      if (call.since <= latest) refuse(call, noAnswer(callOf(call.kind), why));
    for (const call of this.#waiting) if (call.since <= latest) refuse(call, notSent(callOf(call.kind), why));
    this.#waiting = this.#waiting.filter(({ isOver }) => !isOver);
  }
}

function answer(call: WaitingCall, value: unknown): void {
  if (call.isOver) return;
  call.isOver = true;
  call.resolve(value);
}

function refuse(call: WaitingCall, error: unknown): void {
  if (call.isOver) return;
  call.isOver = true;
  call.reject(error);
}

function notTaken(kind: Kind, path: string, cause: unknown): SseError {
  return notSent(callOf(kind), `${path} did not take it: ${reasonOf(cause)}.`, { cause });
}

const callOf = (kind: Kind): BackplaneCall => (kind === 'publish' ? 'publish' : 'other');
