import { EventSource } from 'eventsource';
import type { TestEvent } from '../../../src/sse/testing/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { newInbox } from '../../support/inbox.js';

/** The `eventsource` package as a page would use it. It is closed when the test ends. */
export class Page {
  readonly source: EventSource;
  readonly #events = newInbox<Omit<TestEvent, 'data'>>();

  private constructor(url: string, types: readonly string[]) {
    this.source = new EventSource(url);
    for (const type of types) {
      this.source.addEventListener(type, ({ lastEventId, data }) => {
        this.#events.push({ type, id: lastEventId, text: String(data) });
      });
    }
    whenTestEnds(() => this.source.close());
  }

  /** Resolves when it is connected. */
  static async open(url: string, types: readonly string[] = ['message', 'gap']): Promise<Page> {
    const page = new Page(url, types);
    await page.is('open');
    return page;
  }

  /** The next events; `id` is the position after each. */
  take(count: number): Promise<Omit<TestEvent, 'data'>[]> {
    return this.#events.until((_, taken) => taken === count);
  }

  /** Resolves when it is told of being connected, or of an error, the next time. */
  is(state: 'open' | 'error'): Promise<unknown> {
    return new Promise((resolve) => this.source.addEventListener(state, resolve, { once: true }));
  }
}
