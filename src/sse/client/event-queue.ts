/** Events that wait before nothing more is read. */
const FULL = 256;

/** Events on their way to one async iterator, and what is to be done between them. */
export class EventQueue<Event> {
  #items: (Event | (() => void))[] = [];
  #state: 'open' | 'closed' = 'open';
  #added: (() => void) | undefined;
  #taken: (() => void) | undefined;
  /** For all who wait for room. */
  #room: Promise<void> | undefined;

  push(item: Event | (() => void)): void {
    if (this.#state === 'closed') return;
    this.#items.push(item);
    this.wake();
  }

  shift(): Event | (() => void) | undefined {
    const item = this.#items.shift();
    if (this.#items.length < FULL) this.#taken?.();
    return item;
  }

  /** Resolves when there is something, or nothing comes any more. */
  added(): Promise<void> {
    return new Promise((resolve) => {
      this.#added = resolve;
    });
  }

  get isFull(): boolean {
    return this.#items.length >= FULL;
  }

  /** Resolves when there is room for more. */
  room(): Promise<void> {
    return (this.#room ??= new Promise((resolve) => {
      this.#taken = () => {
        this.#room = undefined;
        resolve();
      };
    }));
  }

  wake(): void {
    this.#added?.();
    this.#added = undefined;
  }

  /** Nobody takes anything any more. News that are left are told all the same: none is swallowed. */
  close(): void {
    this.#state = 'closed';
    const left = this.#items;
    this.#items = [];
    for (const item of left) if (typeof item === 'function') (item as () => void)();
    this.#taken?.();
  }
}
