import type { Identity } from './identity.js';

/** A client that streams a channel. */
export interface Subscriber {
  /** The id of its connection. */
  readonly id: string;
  /** Undefined where the application knows no users. */
  readonly access: { readonly identity: Identity | undefined } | undefined;
  /** The request that its stream belongs to, as the adapter has it. */
  readonly request: unknown;
}

/**
 * A feature that wants to know which clients of this process stream which channels. It is told in the turn in which
 * that happens, and never throws.
 */
export interface StreamObserver {
  /** A client may stream a channel, and its position there is known. Once for each channel of a connection. */
  began(channel: string, subscriber: Subscriber): void;
  /** The client has left the channel, or lost it, or the channel has completed, or the client has gone. */
  ended(channel: string, subscriber: Subscriber): void;
}

/** The observers of this application: a list that is fixed when the start is over. */
export class StreamObservers implements StreamObserver {
  readonly #observers: StreamObserver[] = [];

  add(observer: StreamObserver): void {
    this.#observers.push(observer);
  }

  began(channel: string, subscriber: Subscriber): void {
    for (const observer of this.#observers) observer.began(channel, subscriber);
  }

  ended(channel: string, subscriber: Subscriber): void {
    for (const observer of this.#observers) observer.ended(channel, subscriber);
  }
}
