import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { createParser, type EventSourceMessage } from 'eventsource-parser';

/**
 * A client that shows everything a stream says: every event with its type and id line, and the headers. An event
 * that only tells the position is none of the application's.
 */
export class EventReader {
  /** What `retry:` lines said. */
  readonly retries: number[] = [];
  private readonly events = this.read();

  private constructor(readonly response: IncomingMessage) {}

  /** Resolves when the server has begun to answer. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<EventReader> {
    // Not fetch, which at once opens another connection for each that it was made to close.
    const request = get(url, { agent: false, headers: { Accept: 'text/event-stream', ...headers } });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return new EventReader(response);
  }

  /** The next event, or undefined when the server has ended the stream. */
  async next(): Promise<EventSourceMessage | undefined> {
    const { done, value } = await this.events.next();
    return done ? undefined : value;
  }

  async take(count: number): Promise<EventSourceMessage[]> {
    const events: EventSourceMessage[] = [];
    while (events.length < count) {
      const event = await this.next();
      if (event === undefined) throw new Error(`the stream ended after ${events.length} of ${count} events`);
      events.push(event);
    }
    return events;
  }

  /** The data of the next event, as JSON. */
  async nextData(): Promise<Record<string, unknown>> {
    const [event] = await this.take(1);
    return JSON.parse(event!.data);
  }

  /** Goes away, as a closed tab does. */
  close(): void {
    this.response.destroy();
  }

  private async *read(): AsyncGenerator<EventSourceMessage> {
    const parsed: EventSourceMessage[] = [];
    const parser = createParser({
      onEvent: (event) => event.event !== 'sse-position' && parsed.push(event),
      onRetry: (retry) => this.retries.push(retry),
    });
    for await (const chunk of this.response.setEncoding('utf8')) {
      parser.feed(chunk as string);
      yield* parsed.splice(0);
    }
  }
}
