import { isObservable, Observable } from 'rxjs';
import { isAsyncIterable } from '../hub/sources/published-source.js';

/** A client that values are streamed to. */
interface Taker {
  /** Whether it can take no more at present. */
  readonly paused: boolean;
  /** Resolves when that may have changed. */
  room(): Promise<void>;
}

/**
 * What a method has returned, as an Observable.
 *
 * @param route the name of the method, for the error
 * @throws TypeError
 */
export function streamOf(returned: unknown, taker: Taker, route: string): Observable<unknown> {
  if (isObservable(returned)) return returned;
  if (isAsyncIterable(returned)) return iterated(returned, taker);
  throw new TypeError(
    `${route} has returned ${kindOf(returned)}. A method with @Sse() returns an Observable, an async iterable, or a Promise of one.`,
  );
}

/** An async iterable is asked for its next value when the client can take it, unlike by rxjs' `from()`. */
function iterated(values: AsyncIterable<unknown>, taker: Taker): Observable<unknown> {
  return new Observable((subscriber) => {
    const iterator = values[Symbol.asyncIterator]();
    const isOver = (): boolean => subscriber.closed;
    const handOn = async (): Promise<void> => {
      for (let item = await iterator.next(); !isOver() && !item.done; item = await iterator.next()) {
        subscriber.next(item.value);
        while (!isOver() && taker.paused) await taker.room();
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
    // What it throws while it is given up is told nobody, as with an Observable that is unsubscribed from.
    return () => void iterator.return?.().catch(() => undefined);
  });
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null)
    return `an object of ${(value.constructor as { name?: string } | undefined)?.name ?? 'no class'}`;
  if (typeof value === 'function') return 'a function';
  return value === undefined || value === null ? String(value) : `a ${typeof value}`;
}
