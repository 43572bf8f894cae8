import { AsyncResource } from 'node:async_hooks';
import { Logger } from '@nestjs/common';
import { Observable, type Observer, type Unsubscribable } from 'rxjs';
import { endsAt, type StreamHost } from '../hub/reading/stream-context.js';

/** What a response is subscribed to. */
export class Pipeline {
  /** Whether the method has returned. */
  hasReturned = false;
  /** Whether what it returned is being subscribed to at this moment. */
  isSubscribing = false;
  #outcome: Unsubscribable | undefined;
  #source: Unsubscribable | undefined;
  #context: AsyncResource | undefined;

  constructor(private readonly host: StreamHost) {}

  /** Subscribes to what comes out of the interceptors. */
  subscribeOutcome(outcome: Observable<unknown>, observer: Observer<unknown>): void {
    this.#outcome = this.#subscribe(outcome, observer);
  }

  /** Subscribes to what the method returned. */
  subscribeSource(source: Observable<unknown>, observer: Observer<unknown>): void {
    this.#source = this.#subscribe(this.own(source), observer);
  }

  /** Takes a stream of the hub that is read without subscribing. */
  join(source: Unsubscribable): void {
    this.#source = source;
  }

  #subscribe(source: Observable<unknown>, observer: Observer<unknown>): Unsubscribable {
    this.#context = new AsyncResource('SseConnection');
    const marked = new Observable((subscriber) => {
      endsAt(subscriber, this.host);
      return source.subscribe(subscriber);
    });
    return marked.subscribe(observer);
  }

  /** Makes the streams that an Observable subscribes to, while it is subscribed to, part of this response. */
  own(source: Observable<unknown>): Observable<unknown> {
    return new Observable((subscriber) => {
      this.hasReturned = true;
      this.isSubscribing = true;
      try {
        return source.subscribe(subscriber);
      } finally {
        this.isSubscribing = false;
      }
    });
  }

  /** Runs something in the context in which the method ran, whoever has published. */
  run(task: () => void): void {
    if (this.#context) this.#context.runInAsyncScope(task);
    else task();
  }

  release(): void {
    const subscriptions = [this.#source, this.#outcome];
    this.#source = this.#outcome = undefined;
    for (const subscription of subscriptions) {
      try {
        subscription?.unsubscribe();
      } catch (error) {
        new Logger('SseConnection').error(error); // of a teardown of the application
      }
    }
  }
}
