import type { ConnectionState } from './state.js';

/** A block of a stream, as its parser gives it. */
export interface Message {
  /** Its `event:`, if it has one. */
  readonly event?: string | undefined;
  readonly id?: string | undefined;
  /** Its text. */
  readonly data: string;
}

/** The client, as a transport sees it. */
export interface Receiver {
  /** The position to go on from: a last event ID or, for a client of channels, that of each, empty for none. */
  position(): string | ReadonlyMap<string, string>;
  /** The connection is in another state. */
  moved(state: ConnectionState): void;
  receive(message: Message): void;
  /** Resolves when more can be taken; undefined if it can now. */
  room(): Promise<void> | undefined;
}

/** A client that names its channels. */
export interface ChannelsReceiver extends Receiver {
  position(): ReadonlyMap<string, string>;
  /** Channels are streamed from now on, from these positions at the latest. */
  joined?(channels: readonly string[], positions: Readonly<Record<string, string>>): void;
  /** Channels that the client does not want any more are not streamed any more. */
  left?(channels: readonly string[]): void;
  /** The server takes no more channels: the client does not get these. */
  refused(channels: readonly string[], message: string): void;
}

/** Where the events of a client come from. Nothing is told any more once it is closed. */
export interface Transport<To extends Receiver = Receiver> {
  /** Begins. It is called once. */
  start(receiver: To): void;
  close(): void;
}

/** The transport of a client that names its channels. */
export interface ChannelsTransport extends Transport<ChannelsReceiver> {
  /** The client may want other channels now. */
  channelsChanged(): void;
}
