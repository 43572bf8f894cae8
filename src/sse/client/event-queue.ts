/** Events that wait before nothing more is read. */
const FULL = 256;

/** Events on their way to one async iterator. */
export class EventQueue<Event> {
  #events: Event[] = [];
  #added: (() => void) | undefined;
  #taken: (() => void) | undefined;

  push(event: Event): void {
    this.#events.push(event);
    this.wake();
  }

  shift(): Event | undefined {
    const event = this.#events.shift();
    if (this.#events.length < FULL) this.#taken?.();
    return event;
  }

  /** Resolves when there is an event, or nothing comes any more. */
  added(): Promise<void> {
    return new Promise((resolve) => {
      this.#added = resolve;
    });
  }

  /** Resolves when there is room for more. */
  room(): Promise<void> | undefined {
    if (this.#events.length < FULL) return undefined;
    return new Promise((resolve) => {
      this.#taken = resolve;
    });
  }

  wake(): void {
    this.#added?.();
    this.#added = undefined;
  }

  /** Nobody takes events any more. */
  close(): void {
    this.#events = [];
    this.#taken?.();
  }
}
