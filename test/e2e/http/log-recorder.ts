import { EventEmitter, once } from 'node:events';
import type { LoggerService } from '@nestjs/common';

export interface LogEntry {
  readonly level: 'error' | 'warn';
  /** What was logged; of an Error its message and its code. */
  readonly text: string;
  readonly context: unknown;
}

/** A logger that remembers warnings and errors: `app.useLogger(log)`. */
export class LogRecorder implements LoggerService {
  readonly entries: LogEntry[] = [];
  readonly #bell = new EventEmitter();

  log(): void {}

  warn(message: unknown, ...rest: unknown[]): void {
    this.#add('warn', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.#add('error', message, rest);
  }

  /** The first entry that matches, also one that was written before. */
  async until(pattern: RegExp): Promise<LogEntry> {
    for (;;) {
      const entry = this.entries.find(({ text }) => pattern.test(text));
      if (entry) return entry;
      await once(this.#bell, 'entry');
    }
  }

  #add(level: LogEntry['level'], message: unknown, rest: unknown[]): void {
    const { code } = (message ?? {}) as { code?: string };
    const text = message instanceof Error ? `${code ?? ''} ${message.message}`.trim() : String(message);
    this.entries.push({ level, text, context: rest.at(-1) });
    this.#bell.emit('entry');
  }
}
