import {
  connect,
  type ConnectOptions,
  type ConnectionState,
  type SseClient,
} from '../../../src/sse/client/index.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { newInbox } from '../../support/inbox.js';

/** A client under test, with all that it was told. It is closed when the test ends. */
export class Connected {
  readonly client: SseClient;
  readonly #events = newInbox<unknown>();
  readonly #states = newInbox<ConnectionState>();

  constructor(url: string, options: ConnectOptions = {}, types: readonly string[] = ['message']) {
    this.client = connect(url, options);
    this.#states.push(this.client.state);
    this.client.subscribe(() => this.#states.push(this.client.state));
    for (const type of types) this.client.on(type, (data) => this.#events.push(data));
    whenTestEnds(() => this.client.close());
  }

  /** The data of the next events. */
  take(count: number): Promise<unknown[]> {
    return this.#events.until((_, taken) => taken === count);
  }

  get events(): readonly unknown[] {
    return this.#events.all;
  }

  get states(): readonly ConnectionState[] {
    return this.#states.all;
  }

  /** Resolves with the next state of that kind. */
  async until(kind: ConnectionState['kind']): Promise<ConnectionState> {
    return (await this.#states.until((state) => state.kind === kind)).at(-1)!;
  }
}
