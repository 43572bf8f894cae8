import { Controller, Get, Header } from '@nestjs/common';
import { PATIENCE, type BrowserEngine } from './browser-engine.js';

/** The types of events that the page lists. */
const TYPES = ['message', 'gap', 'connection', 'denied'];

/** An event as the page was given it. */
export interface RecordedEvent {
  readonly type: string;
  readonly data: string;
}

/** What the page knows of its EventSource. */
interface Record {
  /** Responses that have begun. */
  readonly opened: number;
  /** Connections, and attempts to connect, that have failed. */
  readonly failed: number;
  /** Whether it has given up. */
  readonly isClosed: boolean;
  /** The last event ID as the latest event shows it, `sse-position` included; null before the first. */
  readonly position: string | null;
  readonly events: readonly RecordedEvent[];
}

/** Runs in the page: writes down what happens to one EventSource. */
const SCRIPT = `
  const record = { opened: 0, failed: 0, isClosed: false, position: null, events: [] };
  const waiting = new Set();

  function happened(change) {
    change();
    for (const look of waiting) look();
  }

  function listen(url) {
    const source = new EventSource(url);
    source.onopen = () => happened(() => record.opened++);
    source.onerror = () =>
      happened(() => {
        record.failed++;
        record.isClosed = source.readyState === EventSource.CLOSED;
      });
    const moved = ({ lastEventId }) => happened(() => (record.position = lastEventId));
    source.addEventListener('sse-position', moved);
    for (const type of ${JSON.stringify(TYPES)}) {
      source.addEventListener(type, ({ type, data }) => record.events.push({ type, data }));
      source.addEventListener(type, moved);
    }
  }

  function until(isSo) {
    return new Promise((resolve, reject) => {
      const settle = (end) => {
        clearTimeout(timer);
        waiting.delete(look);
        end();
      };
      const look = () => isSo(record) && settle(() => resolve(record));
      const timer = setTimeout(
        () => settle(() => reject(new Error('Not so: ' + isSo + ', but ' + JSON.stringify(record)))),
        ${PATIENCE},
      );
      waiting.add(look);
      look();
    });
  }
`;

/** The address of the page, on the app that {@link RecorderController} is in. */
const PATH = '/recorder';

@Controller(PATH)
export class RecorderController {
  @Get()
  @Header('content-type', 'text/html')
  page(): string {
    return `<!doctype html><title>Recorder</title><script>${SCRIPT}</script>`;
  }
}

/** A page with an EventSource, which remembers all that happened to it. */
export class Recorder {
  private constructor(private readonly browser: BrowserEngine) {}

  /** Opens the page, and an EventSource in it. Resolves when that is made, not when it is connected. */
  static async listen(browser: BrowserEngine, url: string, path: string): Promise<Recorder> {
    await browser.open(url + PATH);
    await browser.evaluate(`listen(${JSON.stringify(path)})`);
    return new Recorder(browser);
  }

  /** Waits until so many responses have begun. */
  async opened(count: number): Promise<void> {
    await this.#until(`opened >= ${count}`);
  }

  /** Waits until so many connections, or attempts to connect, have failed. */
  async failed(count: number): Promise<void> {
    await this.#until(`failed >= ${count}`);
  }

  /** Waits until the EventSource has given up. */
  async closed(): Promise<void> {
    await this.#until('isClosed');
  }

  /** Waits until the page was told another position than this. @returns that one */
  async positionAfter(position: string | null): Promise<string | null> {
    return (await this.#until(`position !== ${JSON.stringify(position)}`)).position;
  }

  /** The position that the page was told last; null before it was told one. */
  async position(): Promise<string | null> {
    return (await this.#until('true')).position;
  }

  /** Waits until an event with this data has come. @returns all events until then */
  async eventsUntil(data: string): Promise<readonly RecordedEvent[]> {
    return (await this.#until(`events.some(({ data }) => data === ${JSON.stringify(data)})`)).events;
  }

  /** Waits until so many events of a type have come. @returns the latest of them */
  async latestOf(type: string, count: number): Promise<RecordedEvent> {
    const isOfType = `({ type }) => type === ${JSON.stringify(type)}`;
    const { events } = await this.#until(`events.filter(${isOfType}).length >= ${count}`);
    return events.filter((event) => event.type === type).at(-1)!;
  }

  #until(condition: string): Promise<Record> {
    return this.browser.evaluate(
      `until(({ opened, failed, isClosed, position, events }) => ${condition})`,
    ) as Promise<Record>;
  }
}
