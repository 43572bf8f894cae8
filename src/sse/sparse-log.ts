/** Milliseconds between two lines of the same kind. */
const INTERVAL = 10_000;
/** Kinds that are told apart; further kinds count as one. */
const MAX_KINDS = 20;

/** For the end of a line. */
export const moreLikeIt = (leftOut: number): string =>
  leftOut > 0 ? ` (${leftOut} more since the last such line.)` : '';

interface Kind {
  writtenAt: number;
  /** Lines left out since then. */
  leftOut: number;
}

/** Writes at most one log line of a kind in ten seconds, so that neither clients nor an outage can fill the log. */
export class SparseLog {
  readonly #kinds = new Map<string, Kind>();

  /** @param write is called now or never, with the number of calls left out since the last line of that kind */
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
