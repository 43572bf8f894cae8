import { Listeners } from '../client/environment.js';
import {
  connectChannels,
  type ChannelsClient,
  type ChannelsOptions,
  type ConnectionState,
} from '../client/index.js';
import { newest } from './store.js';

/** Also before anything is connected. */
export const CONNECTING: ConnectionState = { kind: 'connecting' };

/** The client of all hooks below a provider: one that it was given, or its own, which is open while a hook uses it. */
export class Connection {
  #client: ChannelsClient | undefined;
  #users = 0;
  readonly #states = new Listeners();
  /** Of the newest render. */
  options: ChannelsOptions = {};

  constructor(private readonly to: string | ChannelsClient) {
    if (typeof to === 'string') return;
    this.#client = to;
    this.subscribe = to.subscribe;
  }

  get state(): ConnectionState {
    return this.#client?.state ?? CONNECTING;
  }

  /** Calls a function after each change of `state`. @returns a function that removes the listener */
  readonly subscribe = this.#states.add;

  /** Gives the client until `release()`. */
  acquire(): ChannelsClient {
    this.#users++;
    return (this.#client ??= this.#open(this.to as string));
  }

  release(): void {
    if (--this.#users > 0 || typeof this.to !== 'string') return;
    const client = this.#client;
    this.#client = undefined;
    client?.close();
  }

  #open(url: string): ChannelsClient {
    const client = connectChannels(
      url,
      newest(this.options, () => this.options),
    );
    client.subscribe(() => this.#states.call());
    return client;
  }
}
