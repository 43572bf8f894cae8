import { concatMap, defer, isObservable, tap, type Observable } from 'rxjs';
import { SseError } from '../sse.errors.js';

/** Items of an Observable that wait to be published; it cannot be paused. */
const MAX_PENDING = 10_000;

/** Something that gives one item after the other. */
export type Source<T> = AsyncIterable<T> | Observable<T>;

export const isAsyncIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof (value as Partial<AsyncIterable<unknown>> | null | undefined)?.[Symbol.asyncIterator] === 'function';

export const isSource = (value: unknown): value is Source<unknown> =>
  isObservable(value) || isAsyncIterable(value);

/**
 * An Observable whose items are published, one after the other, before they are handed on. Items that wait when it is
 * unsubscribed from are not published.
 *
 * @param maxPending items that may wait; with one more it fails with `SOURCE_TOO_FAST`
 */
export function publishedObservable<T>(
  source: Observable<T>,
  publish: (item: T) => Promise<unknown>,
  maxPending = MAX_PENDING,
): Observable<T> {
  return defer(() => {
    let pending = 0;
    return source.pipe(
      tap(() => {
        if (++pending <= maxPending) return;
        throw new SseError(
          'SOURCE_TOO_FAST',
          `More than ${maxPending} items of an Observable wait to be published, and it cannot be paused. Use an async iterable, or let it emit less.`,
        );
      }),
      concatMap(async (item) => {
        await publish(item);
        pending--;
        return item;
      }),
    );
  });
}

/** The same for an async iterable, which is asked for an item when the one before was taken. */
export async function* publishedItems<T>(
  source: AsyncIterable<T>,
  publish: (item: T) => Promise<unknown>,
): AsyncGenerator<T, void, undefined> {
  for await (const item of source) {
    await publish(item);
    yield item;
  }
}
