/** Milliseconds between two lines of the same kind. */
const INTERVAL = 10_000;
/** Kinds that are told apart; all beyond are one. */
const MAX_KINDS = 20;

/** What has happened of one kind. */
interface Kind {
  writtenAt: number;
  /** How often since then. */
  leftOut: number;
}

/** Writes a line for some of what happens: what clients can do must not fill a log. */
export class SparseLog {
  readonly #kinds = new Map<string, Kind>();

  /** @param write is called at once, or not; with how often it was not since the last line of that kind */
  add(kind: string, write: (leftOut: number) => void): void {
    const known = this.#known(kind);
    const now = performance.now();
    if (now - known.writtenAt < INTERVAL) {
      known.leftOut++;
      return;
    }
    write(known.leftOut);
    known.writtenAt = now;
    known.leftOut = 0;
  }

  #known(kind: string): Kind {
    const name = this.#kinds.has(kind) || this.#kinds.size < MAX_KINDS ? kind : '';
    const known = this.#kinds.get(name) ?? { writtenAt: -Infinity, leftOut: 0 };
    this.#kinds.set(name, known);
    return known;
  }
}
