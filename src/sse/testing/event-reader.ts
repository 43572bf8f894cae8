import { Inbox } from './inbox.js';

/** What events have here, whether they were received or published. */
export interface EventLike {
  /** `message` where it is left out. */
  readonly type?: string | undefined;
  readonly data?: unknown;
}

/** Milliseconds that a call waits. Test runners give up after 5 s and would not say what has come. */
export const TIME_LIMIT = 4_000;

/** Events that a story lists; the last ones. */
const LISTED = 20;
/** Characters of the data of an event in a story. */
const SHOWN = 120;

/**
 * Takes events one after another. Each call goes on where the one before has ended, waits for what has not come yet, and
 * fails after the time limit with an error that shows what has come.
 */
export abstract class EventReader<Event extends EventLike> implements AsyncIterable<Event> {
  readonly #inbox: Inbox<Event>;

  constructor(limit = TIME_LIMIT) {
    this.#inbox = new Inbox(limit, () => this.story());
  }

  /** All events so far, those that were taken too. */
  get events(): readonly Event[] {
    return this.#inbox.all;
  }

  /** The next event. @throws Error if none comes */
  async next(): Promise<Event> {
    const [event] = await this.take(1);
    return event as Event;
  }

  /** The next events, as many as that. @throws Error if they do not come */
  async take(count: number): Promise<Event[]> {
    if (count === 0) return [];
    const what = count === 1 ? 'an event' : `${count} events`;
    return this.#inbox.until((_, taken) => taken === count, what);
  }

  /**
   * The next events up to the one of that type, or the one that the function says yes to. That is the last of them.
   *
   * @throws Error if it does not come
   */
  async until(which: string | ((event: Event) => boolean)): Promise<Event[]> {
    if (typeof which === 'function') return this.#inbox.until(which, 'an event that fits');
    return this.#inbox.until(({ type = 'message' }) => type === which, `an event ${JSON.stringify(which)}`);
  }

  /** The events that come until the end. @throws Error if there is no end */
  async rest(): Promise<Event[]> {
    return this.#inbox.rest();
  }

  /**
   * All events that are not taken yet, until the end. Leaving the loop leaves everything as it is.
   *
   * @throws Error if no event comes, and there is no end
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined> {
    for (;;) {
      const event = await this.#inbox.nextIfAny('an event');
      if (!event) return;
      yield event;
    }
  }

  protected add(event: Event): void {
    this.#inbox.push(event);
  }

  /** Whether more events can come. */
  protected set isOver(isOver: boolean) {
    if (isOver) this.#inbox.end();
    else this.#inbox.reopen();
  }

  /** What errors say: where the events come from, and what has come. */
  protected story(): string {
    const { events } = this;
    if (events.length === 0) return 'No event has come.';
    const before = Math.max(events.length - LISTED, 0);
    const lines = events.slice(before).map((event) => `  ${event.type ?? 'message'} ${shown(event.data)}`);
    const leftOut = before > 0 ? `, of which ${before} are left out here` : '';
    return [`${events.length} have come${leftOut}:`, ...lines].join('\n');
  }
}

function shown(data: unknown): string {
  const text = typeof data === 'string' ? data : (JSON.stringify(data) ?? '');
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}… (${text.length} characters)` : text;
}
