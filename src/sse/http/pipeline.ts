import { AsyncResource } from 'node:async_hooks';
import { Logger } from '@nestjs/common';
import { Observable, type Observer, type Subscriber, type Unsubscribable } from 'rxjs';
import type { StreamReader } from '../streams/stream-reader.js';
import { endsAt } from '../streams/channel-stream.js';

/**
 * The subscriptions of a response: to the stream that its method returned, and to the one that interceptors make of it.
 * Whatever they do, the method's stream ends with the response.
 *
 * Without interceptors the connection calls `subscribeSource()`, unless the stream is one of the hub as it is, which needs no
 * pipeline. With interceptors it calls `subscribeOutcome()`, and they get the method's stream by `show()`. What comes out goes
 * to the connection.
 */
export class Pipeline {
  /** How far the method is; `subscribing` while the stream that it returned is being subscribed to. */
  method: 'running' | 'subscribing' | 'returned' = 'running';
  /** The value that interceptors are being shown at this moment. */
  shown: unknown;
  #outcome: Unsubscribable | undefined;
  /** The subscribers of the method's stream: interceptors may subscribe more than once. */
  #subscribers: Set<Subscriber<unknown>> | undefined;
  #context: AsyncResource | undefined;
  #isReleased = false;

  constructor(private readonly reader: StreamReader) {}

  /** Subscribes to what comes out of the interceptors. */
  subscribeOutcome(outcome: Observable<unknown>, observer: Observer<unknown>): void {
    this.#context = new AsyncResource('SseConnection');
    const marked = new Observable((subscriber) => {
      endsAt(subscriber, this.reader);
      return outcome.subscribe(subscriber);
    });
    this.#outcome = marked.subscribe(observer);
  }

  /** Subscribes to what the method returned, with no interceptor in between. */
  subscribeSource(source: Observable<unknown>, observer: Observer<unknown>): void {
    this.#outcome = this.bind(source).subscribe(observer);
  }

  /**
   * Makes the stream that the method returned part of this response. An interceptor may subscribe to it by itself, and
   * then this is the only link to the response.
   */
  bind(source: Observable<unknown>): Observable<unknown> {
    return new Observable((subscriber: Subscriber<unknown>) => {
      // It neither begins nor ends: an operator that repeats or retries it would do so for ever.
      if (this.#isReleased) return undefined;
      // An interceptor may have entered a context of its own.
      this.#context = new AsyncResource('SseConnection');
      endsAt(subscriber, this.reader);
      const subscribers = (this.#subscribers ??= new Set());
      subscribers.add(subscriber);
      subscriber.add(() => subscribers.delete(subscriber));
      this.method = 'subscribing';
      try {
        return source.subscribe(subscriber);
      } finally {
        this.method = 'returned';
      }
    });
  }

  /** The same, with what interceptors are shown of it. */
  show(source: Observable<unknown>): Observable<unknown> {
    const bound = this.bind(source);
    return new Observable((subscriber) =>
      bound.subscribe({
        next: (value) => {
          this.shown = value;
          subscriber.next(value);
          this.shown = undefined;
        },
        error: (error) => subscriber.error(error),
        complete: () => subscriber.complete(),
      }),
    );
  }

  /** Runs something in the context in which the method's stream was subscribed to, whoever has published. */
  inContext(task: () => void): void {
    if (this.#context) this.#context.runInAsyncScope(task);
    else task();
  }

  release(): void {
    this.#isReleased = true;
    this.#end(() => this.#outcome?.unsubscribe());
    // Still open where an interceptor has no teardown, or has shared it with others: these subscribers are not left waiting.
    for (const subscriber of this.#subscribers ?? []) this.#end(() => subscriber.complete());
    this.#outcome = undefined;
  }

  /** An error comes from a teardown of the application, and is logged. */
  #end(end: () => void): void {
    try {
      end();
    } catch (error) {
      new Logger('SseConnection').error(error);
    }
  }
}
