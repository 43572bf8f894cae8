import { setImmediate as nextTurn } from 'node:timers/promises';
import { Observable, type Subscriber } from 'rxjs';
import { onceOver } from './closing.js';
import type { Exchange } from './exchange.js';

/** A client that values are streamed to. */
export interface Taker {
  readonly exchange: Exchange;
  readonly isClosed: boolean;
  /** Whether it can take no more at present. */
  readonly paused: boolean;
  /** Resolves when that may have changed. */
  room(): Promise<void>;
}

/** Milliseconds for which values may follow each other before the event loop gets a turn. */
const SLICE = 5;

/**
 * An async iterable as an Observable. It is asked for its next value when the client can take it, unlike by rxjs'
 * `from()`, and given up when the client leaves, also if nobody has begun to iterate.
 */
export function iterated(values: AsyncIterable<unknown>, taker: Taker): Observable<unknown> {
  let isBegun = false;
  const discardUnbegun = (): void => {
    if (!isBegun) discard(values);
  };
  if (taker.isClosed) discardUnbegun();
  else onceOver(taker.exchange, discardUnbegun);
  return new Observable((subscriber) => {
    isBegun = true;
    return iterate(values[Symbol.asyncIterator](), subscriber, taker);
  });
}

/** @returns what gives the rest up */
function iterate(
  iterator: AsyncIterator<unknown>,
  subscriber: Subscriber<unknown>,
  taker: Taker,
): () => void {
  let isDone = false;
  const handOn = async (): Promise<void> => {
    for (let until = performance.now() + SLICE; !subscriber.closed;) {
      isDone = true; // it is, if that rejects
      const item = await iterator.next();
      isDone = item.done === true;
      if (isDone) return;
      subscriber.next(item.value);
      while (!subscriber.closed && taker.paused) await taker.room();
      if (performance.now() < until) continue;
      await nextTurn();
      until = performance.now() + SLICE;
    }
  };
  handOn().then(
    () => {
      subscriber.complete();
    },
    (error: unknown) => {
      subscriber.error(error);
    },
  );
  return () => {
    if (!isDone) giveUp(async () => iterator.return?.());
  };
}

/** Lets go of what nobody has begun to iterate: streams of Node and of the web hold something all the same. */
function discard(values: AsyncIterable<unknown>): void {
  const stream = values as { destroy?(): unknown; cancel?(): unknown };
  giveUp(async () => (stream.destroy ? stream.destroy() : stream.cancel?.()));
}

/** What it throws is told nobody, as with an Observable that is unsubscribed from. */
function giveUp(end: () => Promise<unknown>): void {
  end().catch(() => undefined);
}
