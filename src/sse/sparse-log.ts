import { LogLine, type LogFields } from './log-line.js';

/** Milliseconds between two lines of the same kind. */
const INTERVAL = 10_000;
/** Kinds that are told apart; further kinds count as one. */
const MAX_KINDS = 20;

/** A line, and the number of lines of its kind that were left out since the last one. */
export const sparseLine = (msg: string, leftOut: number, fields: LogFields = {}): LogLine =>
  leftOut === 0
    ? new LogLine(msg, fields)
    : new LogLine(`${msg} (${leftOut} more since the last such line.)`, { ...fields, leftOut });

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
