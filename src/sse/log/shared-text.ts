import { chunk } from '../protocol/event-stream.js';
import type { StoredEvent } from './stored-event.js';

/** A text that several clients get, in the two forms that are written, each made once. */
export class SharedText {
  #chunk: Buffer | undefined;

  constructor(readonly text: string) {}

  /** A chunk of HTTP/1.1. */
  get chunk(): Buffer {
    return (this.#chunk ??= chunk(this.text));
  }
}

const bodies = new WeakMap<StoredEvent, SharedText>();

/** The part of an event that all clients get, whatever their ids. */
export function sharedBody(event: StoredEvent): SharedText {
  let shared = bodies.get(event);
  if (!shared) {
    shared = new SharedText(event.body);
    bodies.set(event, shared);
  }
  return shared;
}
