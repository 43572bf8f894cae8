import { Observable } from 'rxjs';
import type { SseCluster } from './cluster.js';

/**
 * A source that runs on one instance at a time: of all instances that are subscribed under this name, one is
 * subscribed to the source, and when it unsubscribes, or ends, another takes over. On the others it emits
 * nothing. It never completes by losing the lease; what the source says is passed on.
 *
 * @param name the name of the lease
 * @example
 * ```ts
 * // One tick for all instances, while somebody listens on any of them.
 * readonly ticks = whileLeading(cluster, 'ticks', interval(1_000)).pipe(share());
 * ```
 */
export function whileLeading<T>(cluster: SseCluster, name: string, source: Observable<T>): Observable<T> {
  return new Observable((subscriber) =>
    cluster.lead(name, (signal) => {
      const subscription = source.subscribe({
        next: (value) => subscriber.next(value),
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      });
      signal.addEventListener('abort', () => subscription.unsubscribe());
    }),
  );
}
