import { inspect } from 'node:util';

/** Fields of a line. Names of channels and users, codes and figures; never data of events, ids of clients or headers. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * A line of the log that an operator must know: one sentence, with the values in it as fields, too.
 *
 * Nest's logger for text prints the sentence. Its JSON logger prints an object with `msg` and the fields, and so do
 * `nestjs-pino` and `nest-winston`, which take the fields of an object that is logged.
 */
export class LogLine {
  readonly msg: string;
  /** The cause, under the name that pino gives errors. */
  declare readonly err?: unknown;

  constructor(msg: string, fields: LogFields = {}) {
    this.msg = msg;
    Object.assign(this, fields);
  }

  /** For `nest-winston`. */
  get message(): string {
    return this.msg;
  }

  toString(): string {
    return this.msg;
  }

  toJSON(): object {
    const fields = Object.fromEntries(Object.entries(this));
    if (!(this.err instanceof Error)) return fields;
    const { name, message, stack } = this.err;
    return { ...fields, err: { name, message, stack } };
  }

  [inspect.custom](): string {
    return this.err === undefined ? this.msg : `${this.msg}\n${stackOf(this.err)}`;
  }
}

const stackOf = (error: unknown): string =>
  (error instanceof Error ? error.stack : undefined) ?? inspect(error);
