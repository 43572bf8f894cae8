import { setImmediate as nextTurn } from 'node:timers/promises';
import { isObservable, Observable, type Subscriber } from 'rxjs';
import { isAsyncIterable } from '../publishing/published-source.js';
import type { SseConnection } from './sse-connection.js';

/** Milliseconds for which values may follow each other before the event loop gets a turn. */
const SLICE = 5;

/**
 * The stream that a method has returned, as an Observable. An async iterable is asked for its next value when the
 * client can take it, unlike by rxjs' `from()`, and given up when the client leaves, also if nobody has begun to
 * iterate.
 *
 * @param route the name of the method, for the error
 * @throws TypeError for anything that is no stream
 */
export function streamOf(returned: unknown, connection: SseConnection, route: string): Observable<unknown> {
  if (isObservable(returned)) return returned;
  if (isAsyncIterable(returned)) return iterated(returned, connection);
  throw new TypeError(
    `${route} has returned ${kindOf(returned)}. A method with @Sse() returns an Observable, an async iterable, or a Promise of one.`,
  );
}

function iterated(values: AsyncIterable<unknown>, connection: SseConnection): Observable<unknown> {
  let isBegun = false;
  const discardUnbegun = (): void => {
    if (!isBegun) discard(values);
  };
  if (connection.isClosed) discardUnbegun();
  else connection.exchange.onceOver(discardUnbegun);
  return new Observable((subscriber) => {
    isBegun = true;
    return iterate(values[Symbol.asyncIterator](), subscriber, connection);
  });
}

/** @returns the teardown, which closes the iterator if that has not ended */
function iterate(
  iterator: AsyncIterator<unknown>,
  subscriber: Subscriber<unknown>,
  connection: SseConnection,
): () => void {
  let isOver = false;
  const handOn = async (): Promise<void> => {
    for (let until = performance.now() + SLICE; !subscriber.closed;) {
      const item = await iterator.next();
      if (item.done === true) return;
      subscriber.next(item.value);
      while (!subscriber.closed && connection.backPressure !== 'none') await connection.room();
      if (performance.now() < until) continue;
      await nextTurn();
      until = performance.now() + SLICE;
    }
  };
  const over = handOn().finally(() => {
    isOver = true;
  });
  over.then(
    () => subscriber.complete(),
    (error: unknown) => subscriber.error(error),
  );
  return () => {
    if (!isOver) giveUp(async () => iterator.return?.());
  };
}

/** Lets go of values that nobody has begun to iterate: streams of Node and of the web hold something all the same. */
function discard(values: AsyncIterable<unknown>): void {
  const stream = values as { destroy?(): unknown; cancel?(): unknown };
  giveUp(async () => (stream.destroy ? stream.destroy() : stream.cancel?.()));
}

/** Nobody is told of an error in it, as with an Observable that is unsubscribed from. */
function giveUp(end: () => Promise<unknown>): void {
  end().catch(() => undefined);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null)
    return `an object of ${(value.constructor as { name?: string } | undefined)?.name ?? 'no class'}`;
  if (typeof value === 'function') return 'a function';
  return value === undefined || value === null ? String(value) : `a ${typeof value}`;
}
