import type { AnyEvents, EventMap } from '../log/sse-event.js';
import { guarded } from './environment.js';
import { EventQueue } from './event-queue.js';
import { LiveValue, type Live } from './live.js';
import type { AnyReceived, ReceivedEvent } from './options.js';
import type { Received } from './received.js';

interface Listener {
  readonly call: (data: never, event: never) => void;
}

/** Events arrive here, for listeners and loops: those of a stream, or of one channel. */
export abstract class Arrivals<Events extends EventMap = AnyEvents> implements AsyncIterable<
  AnyReceived<Events>
> {
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #loops = new Set<EventQueue<AnyReceived<Events>>>();
  readonly #folds = new Set<(received: Received) => void>();
  #isStopped = false;

  /** Calls a function with each event of a type, `message` for those without. @returns a function that removes the listener */
  on<Type extends keyof Events & string>(
    type: Type,
    listener: (data: Events[Type], event: ReceivedEvent<Type, Events[Type]>) => void,
  ): () => void {
    const entry: Listener = { call: listener };
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(entry));
    return () => {
      listeners.delete(entry);
      if (listeners.size === 0) this.#listeners.delete(type);
    };
  }

  /**
   * All events from the first `next()` on. While they are not taken the server is not read from, so that nothing piles up.
   * The functions for events of the hub are called in between, in their place.
   *
   * It ends when nothing arrives any more: also for a channel that is denied or refused, so look at its `state`. Leaving the loop
   * closes this, unless something else listens.
   *
   * @throws Error if the connection was refused, has expired or has failed
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<AnyReceived<Events>, void, undefined> {
    const queue = new EventQueue<AnyReceived<Events>>();
    this.#loops.add(queue);
    try {
      for (;;) {
        const item = queue.shift();
        if (typeof item === 'function') item();
        else if (item) yield item;
        else if (this.isOver()) return;
        else await queue.added();
      }
    } finally {
      this.#loops.delete(queue);
      queue.close();
      if (!this.isUsed) this.close();
    }
  }

  /**
   * A value that starts with `initial`, is replaced by each snapshot, and is updated by each event. With several channels, call
   * fold() on a channel, not on the client.
   *
   * @param reduce returns the next value, as a new object. What it throws is reported, and the event passed over
   */
  fold<State>(initial: State, reduce: (state: State, event: AnyReceived<Events>) => State): Live<State> {
    const live = new LiveValue(initial);
    this.#folds.add((received) => {
      if (received.kind === 'event') live.set(reduce(live.value, received.event as AnyReceived<Events>));
      else if (received.news.type === 'snapshot') live.set(received.news.data.state as State);
    });
    return live;
  }

  /** Nothing arrives any more. */
  abstract close(): void;

  /** Whether nothing arrives any more. @throws Error where the connection was refused, or has failed */
  protected abstract isOver(): boolean;

  protected get isUsed(): boolean {
    return this.#loops.size + this.#listeners.size + this.#folds.size > 0;
  }

  protected arrived(received: Received): void {
    for (const fold of this.#folds) guarded(() => fold(received));
    if (received.kind === 'news') return;
    const event = received.event as AnyReceived<Events>;
    for (const { call } of [...(this.#listeners.get(event.type) ?? [])])
      if (!this.#isStopped) guarded(() => call(event.data as never, event as never));
    for (const queue of this.#loops) queue.push(event);
  }

  /** Something is to be done in its place among the events, which may wait for a loop. */
  protected inPlace(task: () => void): void {
    const [queue] = this.#loops;
    if (queue) queue.push(() => guarded(task));
    else guarded(task);
  }

  /** @internal Loops look again: it is over. @param how `stopped` where events that wait are dropped */
  ended(how: 'stopped' | 'drained'): void {
    this.#isStopped = true;
    for (const queue of this.#loops) {
      if (how === 'stopped') queue.close();
      queue.wake();
    }
  }

  /** Resolves when loops can take more; undefined if they can now. */
  roomIn(): Promise<void> | undefined {
    return [...this.#loops].find((queue) => queue.isFull)?.room();
  }
}
