import { AsyncLocalStorage } from 'node:async_hooks';
import type { OnApplicationShutdown } from '@nestjs/common';
import type { Channels } from '../channels/channels.js';
import type { Prefaces } from './preface.js';
import type { StreamReader } from './stream-reader.js';

/** The reader of a response, on the subscriber at its end, to whom all that its Observable emits gets in the end. */
const READER = Symbol('StreamReader');

interface EndOfResponse {
  [READER]?: StreamReader;
}

/** Says that what reaches a subscriber goes to the client of a response. */
export function endsAt(subscriber: object, reader: StreamReader): void {
  (subscriber as EndOfResponse)[READER] = reader;
}

/**
 * The reader of the response that a subscriber leads to, through whatever operators. Which request somebody's code
 * runs for does not tell: one user's event may well make another's operator subscribe to a stream.
 *
 * @returns undefined where the way cannot be seen, as through `share()`, or leads elsewhere
 */
export function readerBehind(subscriber: object): StreamReader | undefined {
  // rxjs gives every subscriber that an operator makes the one after it as its `destination`.
  for (
    let at: unknown = subscriber;
    typeof at === 'object' && at !== null;
    at = (at as { destination?: unknown }).destination
  ) {
    const reader = (at as EndOfResponse)[READER];
    if (reader) return reader;
  }
  return undefined;
}

/**
 * All that the streams of an application share, and the response that code runs for: from its method it is carried
 * to `hub.stream()`, for streams of which the way cannot be seen.
 */
export class Streams implements OnApplicationShutdown {
  readonly #storage = new AsyncLocalStorage<StreamReader>();

  constructor(
    readonly channels: Channels,
    readonly prefaces: Prefaces,
    readonly maxChannels: number,
  ) {}

  /** Runs code for a response. */
  run<Result>(reader: StreamReader, task: () => Result): Result {
    return this.#storage.run(reader, task);
  }

  /** The reader of the response that code runs for now. */
  get responseReader(): StreamReader | undefined {
    return this.#storage.getStore();
  }

  /** Until Node 24 every Promise of the process passes all storages on, also those of applications that have ended. */
  onApplicationShutdown(): void {
    this.#storage.disable();
  }
}
