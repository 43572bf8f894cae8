import { EventEmitter, on } from 'node:events';

/** A source that gives what the test gives it, and knows how it was left. */
export class Feed implements AsyncIterable<{ data: unknown }> {
  isLeft = false;
  readonly #source = new EventEmitter();

  say(data: unknown): void {
    this.#source.emit('word', data);
  }

  fail(error: Error): void {
    this.#source.emit('error', error);
  }

  end(): void {
    this.#source.emit('end');
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<{ data: unknown }, void, undefined> {
    try {
      for await (const [data] of on(this.#source, 'word', { close: ['end'] }))
        yield { data: data as unknown };
    } finally {
      this.isLeft = true;
    }
  }
}
