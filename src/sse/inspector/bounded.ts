/** The newest records, within a limit of bytes and of age. */
export class Bounded<Item extends { readonly at: number }> {
  #items: Item[] = [];
  /** The index of the oldest record. */
  #start = 0;
  #bytes = 0;

  constructor(
    private readonly limits: { readonly bytes: number; readonly age: number },
    /** How many bytes a record takes, about. */
    private readonly sizeOf: (item: Item) => number,
  ) {}

  add(item: Item): void {
    this.#items.push(item);
    this.#bytes += this.sizeOf(item);
    while (this.#bytes > this.limits.bytes && this.#start < this.#items.length) this.#drop();
    this.#expire(item.at);
  }

  /** The records, the newest first. */
  *[Symbol.iterator](): Iterator<Item> {
    this.#expire(Date.now());
    for (let i = this.#items.length - 1; i >= this.#start; i--) yield this.#items[i] as Item;
  }

  #expire(now: number): void {
    while ((this.#items[this.#start]?.at ?? Infinity) < now - this.limits.age) this.#drop();
  }

  #drop(): void {
    this.#bytes -= this.sizeOf(this.#items[this.#start] as Item);
    this.#start++;
    if (this.#start * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#start);
    this.#start = 0;
  }
}
