import { isObservable, type Observable } from 'rxjs';
import { isAsyncIterable } from '../publishing/published-source.js';
import { iterated, type Taker } from './iterated.js';

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

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null)
    return `an object of ${(value.constructor as { name?: string } | undefined)?.name ?? 'no class'}`;
  if (typeof value === 'function') return 'a function';
  return value === undefined || value === null ? String(value) : `a ${typeof value}`;
}
