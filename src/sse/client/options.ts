import type { EventMap, Gap } from '../log/sse-event.js';

/** An event as it arrives. */
export interface ReceivedEvent<Type extends string = string, Data = unknown> {
  /** `message` where the server has named none. */
  readonly type: Type;
  readonly data: Data;
  /** The position after this event, as `lastEventId` takes it: of the client, or of a channel that the client has named. */
  readonly id: string;
  /** The name of its channel, where the client has named channels. */
  readonly channel?: string;
}

/** Any event of a channel. */
export type AnyReceived<Events extends EventMap> = {
  [Type in keyof Events & string]: ReceivedEvent<Type, Events[Type]>;
}[keyof Events & string];

/** Events of the hub, which are no events of the application. */
export interface HubNews {
  /** The hub cannot give everything after the client's position. What is left follows, or a snapshot. */
  readonly onGap?: (gap: Gap) => void;
  /** The state of a channel, in place of the events up to now. */
  readonly onSnapshot?: (snapshot: { readonly channel: string; readonly state: unknown }) => void;
  /** The client does not get a channel, or gets it no more. */
  readonly onDenied?: (denied: {
    readonly channel: string;
    readonly reason: 'forbidden' | 'revoked';
  }) => void;
  /** The id of the connection, which a page sends to join and leave channels. It is another after each reconnect. */
  readonly onConnection?: (connection: { readonly id: string }) => void;
  /** The client's identity has expired. The client reconnects, and `headers` is called again. */
  readonly onExpired?: () => void;
  /** The stream has failed on the server, or its source has. @param message what the client may know of it */
  readonly onError?: (message: string) => void;
}

/** Headers, in any form that `fetch()` takes. */
type HeadersGiven = RequestInit['headers'];

/** Options of every client. */
export interface ClientOptions extends HubNews {
  /**
   * Turns the text of an event into its data. If it returns undefined, the event is passed over. What it throws closes the connection.
   *
   * @param channel as in the event
   * @defaultValue `JSON.parse`, and the text itself where that fails: the hub sends a string as it is
   */
  readonly parse?: (text: string, type: string, channel?: string) => unknown;
  /** Closes the connection when it aborts. */
  readonly signal?: AbortSignal;
}

/** Options of `connectChannels()`. */
export interface ChannelsOptions extends ClientOptions {
  /** Headers, or a function that is called before each request: for a token that has to be renewed. */
  readonly headers?: HeadersGiven | (() => HeadersGiven | Promise<HeadersGiven>);
  /** As in `fetch()`. @defaultValue `'same-origin'` */
  readonly credentials?: 'omit' | 'same-origin' | 'include';
  /**
   * Called with an answer that is not a stream and that a retry would not change: 401, 404, a login page. If it returns `true`,
   * the client tries again at once, at most three times in a row. Otherwise the connection is closed, also if it throws.
   */
  readonly onRefused?: (response: Response) => unknown;
  /** Characters of the longest event; a longer one closes the connection. @defaultValue 4,194,304 */
  readonly maxEventLength?: number;
  /** Milliseconds in which the server has to begin its answer. @defaultValue 30,000 */
  readonly timeout?: number;
  /** @defaultValue the global one */
  readonly fetch?: typeof fetch;
}

/** Options of `connect()`. */
export interface ConnectOptions extends ChannelsOptions {
  /** The request method. @defaultValue `'GET'`, or `'POST'` with a body */
  readonly method?: string;
  /** The request body. Sent again with each attempt, so it cannot be a stream. */
  readonly body?: string | URLSearchParams | FormData | Blob | ArrayBuffer;
  /** The position to begin after. @defaultValue none */
  readonly lastEventId?: string;
}
