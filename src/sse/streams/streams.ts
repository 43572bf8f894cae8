import { AsyncLocalStorage } from 'node:async_hooks';
import type { OnApplicationShutdown } from '@nestjs/common';
import type { Channels } from '../channels/channels.js';
import { isObject } from '../values.js';
import type { Prefaces } from './preface.js';
import type { StreamReader } from './stream-reader.js';

/** Key under which the last subscriber of a response holds its reader. */
const READER = Symbol('StreamReader');

interface EndOfResponse {
  [READER]?: StreamReader;
}

/** Says that what reaches a subscriber goes to the client of a response. */
export function endsAt(subscriber: object, reader: StreamReader): void {
  (subscriber as EndOfResponse)[READER] = reader;
}

/**
 * The reader of the response that a subscriber leads to, through whatever operators. AsyncLocalStorage
 * cannot answer this: an event that was published in one request may make an operator of another subscribe.
 *
 * @returns undefined where the way cannot be seen, as through `share()`, or leads elsewhere
 */
export function readerBehind(subscriber: object): StreamReader | undefined {
  // rxjs gives every subscriber that an operator makes the one after it as its `destination`.
  for (let at: unknown = subscriber; isObject(at); at = (at as { destination?: unknown }).destination) {
    const reader = (at as EndOfResponse)[READER];
    if (reader) return reader;
  }
  return undefined;
}

/**
 * The parts that all streams of an application share, and an AsyncLocalStorage with the reader of the response whose
 * method is running: `hub.stream()` uses it where `readerBehind()` finds nothing.
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
