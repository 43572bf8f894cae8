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

  constructor(private readonly to: string | ChannelsClient) {}

  get state(): ConnectionState {
    return this.#given?.state ?? this.#client?.state ?? CONNECTING;
  }

  readonly subscribe = (listener: () => void): (() => void) =>
    this.#given?.subscribe(listener) ?? this.#states.add(listener);

  /** Gives the client until `release()`. */
  acquire(): ChannelsClient {
    this.#users++;
    return this.#given ?? (this.#client ??= this.#open(this.to as string));
  }

  release(): void {
    if (--this.#users > 0) return;
    const client = this.#client;
    this.#client = undefined;
    client?.close();
  }

  get #given(): ChannelsClient | undefined {
    return typeof this.to === 'string' ? undefined : this.to;
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
