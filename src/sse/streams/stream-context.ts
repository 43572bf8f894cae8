import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { LastEventId } from '../protocol/position.js';
import type { StreamReader } from './stream-reader.js';

/** Decides what a client may stream. */
export interface StreamAccess {
  /** Whether it is to be decided who may have a channel. */
  guards(channel: string): boolean;
  /**
   * Asks whether a reader may have a channel.
   *
   * @param decided is called with the answer, later, and must act on it at once: until then it may be taken back
   */
  decide(channel: string, reader: StreamReader, decided: (isGranted: boolean) => void): void;
  /** The client does not get a channel. */
  denied(channel: string): void;
}

/** A response that streams of the hub can be part of. */
export interface StreamHost {
  /** What its client has seen. */
  readonly lastEventId: LastEventId;
  readonly reader: StreamReader;
  readonly pipeline: {
    /** Whether its method has returned; of a stock route that is not known, and false. */
    readonly hasReturned: boolean;
    /** Whether what its method returned is being subscribed to at this moment. */
    readonly isSubscribing: boolean;
  };
  /** What its client may stream; undefined where nobody is asked. */
  readonly access: StreamAccess | undefined;
}

/** On the subscriber at the end of a response, to whom all that its Observable emits gets in the end. */
const HOST = Symbol('StreamHost');

interface EndOfResponse {
  [HOST]?: StreamHost;
}

/** Says that what reaches a subscriber goes to the client of a response. */
export function endsAt(subscriber: object, host: StreamHost): void {
  (subscriber as EndOfResponse)[HOST] = host;
}

/**
 * The response that a subscriber leads to, through whatever operators. Which request somebody's code
 * runs for does not tell: one user's event may well make another's operator subscribe to a stream.
 *
 * @returns undefined where the way cannot be seen, as through `share()`, or leads elsewhere
 */
export function hostBehind(subscriber: object): StreamHost | undefined {
  // rxjs gives every subscriber that an operator makes the one after it as its `destination`.
  for (
    let at: unknown = subscriber;
    typeof at === 'object' && at !== null;
    at = (at as { destination?: unknown }).destination
  ) {
    const host = (at as EndOfResponse)[HOST];
    if (host) return host;
  }
  return undefined;
}

/** Carries the response from the interceptor to `hub.stream()`, for streams of which the way cannot be seen. */
@Injectable()
export class StreamContext implements OnApplicationShutdown {
  readonly #storage = new AsyncLocalStorage<StreamHost>();

  run<Result>(host: StreamHost, task: () => Result): Result {
    return this.#storage.run(host, task);
  }

  get host(): StreamHost | undefined {
    return this.#storage.getStore();
  }

  /** Until Node 24 every Promise of the process passes all storages on, those of applications that have ended as well. */
  onApplicationShutdown(): void {
    this.#storage.disable();
  }
}
