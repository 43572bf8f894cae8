/** Counts what there is of each key, up to a limit. A key of which there is nothing left is forgotten. */
export class KeyedCount {
  readonly #counts = new Map<string, number>();

  constructor(private readonly limit: number) {}

  isFull(key: string): boolean {
    return (this.#counts.get(key) ?? 0) >= this.limit;
  }

  add(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  remove(key: string): void {
    const left = (this.#counts.get(key) ?? 0) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }

  /** How many keys there is something of. */
  get size(): number {
    return this.#counts.size;
  }
}
