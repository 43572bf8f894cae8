import { Subject, type Observable } from 'rxjs';
import type { Identity } from './identity.js';

/** A client that streams a channel. */
export interface Subscriber {
  /** The id of its connection. */
  readonly id: string;
  /** Who that is; undefined where the application knows no users. */
  readonly access: { readonly identity: Identity | undefined } | undefined;
  /** The request that its stream belongs to, as the adapter has it. */
  readonly request: unknown;
}

export interface Subscription {
  readonly channel: string;
  readonly subscriber: Subscriber;
}

/** Tells which clients stream which channels in this process. */
export class Subscriptions {
  readonly #begun = new Subject<Subscription>();
  readonly #ended = new Subject<Subscription>();

  /** A client may stream a channel, and its position there is known. Once for each channel of a connection. */
  get begun(): Observable<Subscription> {
    return this.#begun;
  }

  /** It streams the channel no more: it has left it, it was taken away or has completed, or the client has gone. */
  get ended(): Observable<Subscription> {
    return this.#ended;
  }

  begin(channel: string, subscriber: Subscriber): void {
    if (this.#begun.observed) this.#begun.next({ channel, subscriber });
  }

  end(channel: string, subscriber: Subscriber): void {
    if (this.#ended.observed) this.#ended.next({ channel, subscriber });
  }
}
