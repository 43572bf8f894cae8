declare const EVENTS: unique symbol;
declare const INPUTS: unique symbol;

/** The data of each event type of a channel. */
export type EventMap = Readonly<Record<string, unknown>>;

/** The events of a channel that was named by a plain string: nothing is known of them. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- data of unknown events must be usable without a cast
export type AnyEvents = Readonly<Record<string, any>>;

/**
 * A channel's name that carries the types of its events; at run time it is a string like any other. What is
 * published may be of other types than what arrives: a schema turns the one into the other.
 */
export type ChannelName<Events extends EventMap = AnyEvents, Inputs extends EventMap = Events> = string & {
  readonly [EVENTS]?: Events;
  readonly [INPUTS]?: Inputs;
};

/** The types of the events of a channel's name. */
export type EventsOf<Name> = Name extends { readonly [EVENTS]?: infer Events } ? Known<Events> : AnyEvents;

/** The types of what may be published to a channel's name. */
export type InputsOf<Name> = Name extends { readonly [INPUTS]?: infer Inputs } ? Known<Inputs> : AnyEvents;

/** The types that a name carries. For a plain string `unknown` is inferred. */
type Known<Events> = Exclude<Events, undefined> extends EventMap ? Exclude<Events, undefined> : AnyEvents;

// Type aliases and no interfaces, so that declaration files of users need not import them.
type EventExtras = {
  /** Only on channels without history, where the hub makes no ids. No CR, LF or NUL. */
  readonly id?: string;
  /** Milliseconds that the clients shall wait before they reconnect. */
  readonly retry?: number;
  /** A comment, for people who read the raw stream; clients pass over it. */
  readonly comment?: string;
};

type Typed<Type extends string, Data> = EventExtras &
  // An event named `message` is what an event without a name is to a client.
  ('message' extends Type ? { readonly type?: Type } : { readonly type: Type }) &
  (undefined extends Data ? { readonly data?: Data } : { readonly data: Data });

/**
 * An event for `publish()`. `data` is any JSON value: a string goes out as it is, anything else as JSON.
 * An event with a type but no data reaches listeners with an empty string.
 */
export type SseEventInput<Events extends EventMap = AnyEvents> = string extends keyof Events
  ? EventExtras & { readonly type?: string; readonly data?: unknown }
  : { [Type in keyof Events & string]: Typed<Type, Events[Type]> }[keyof Events & string];

/** An event that may be published to each of these channels. */
export type EventForAll<Name extends string> = (
  Name extends string ? (event: SseEventInput<InputsOf<Name>>) => void : never
) extends (event: infer Event) => void
  ? Event
  : never;

type Received<Type, Data> = {
  readonly id?: string;
  readonly retry?: number;
  readonly comment?: string;
  /** The channel that it was published to. */
  readonly channel: string;
  /**
   * The JSON form of what was published, as a subscriber anywhere would see it, not the object itself.
   * Parsed when it is first read.
   */
  readonly data: Data;
} & (undefined extends Type ? { readonly type?: Exclude<Type, undefined> } : { readonly type: Type });

/** An event as `hub.stream()` and `hub.history()` hand it out. It is frozen and shared by all who get it. */
// Distributive: a stream of two kinds of channels has the events of both.
export type SseEvent<Events extends EventMap = AnyEvents> = Events extends EventMap
  ? string extends keyof Events
    ? // eslint-disable-next-line @typescript-eslint/no-explicit-any -- see AnyEvents
      Received<string | undefined, any>
    : ReceivedOf<Events> | Received<'gap', Gap>
  : never;

/** An event that somebody has published: no gap. */
export type PublishedEvent<Events extends EventMap = AnyEvents> = Exclude<
  SseEvent<Events>,
  { readonly type: 'gap' }
>;

type ReceivedOf<Events extends EventMap> = {
  [Type in keyof Events & string]: Received<'message' extends Type ? Type | undefined : Type, Events[Type]>;
}[keyof Events & string];

/** Why a client cannot be given everything after its position. */
export type GapReason =
  /** The events after its position are no longer kept. */
  | 'evicted'
  /** It read so slowly that the log moved past it. */
  | 'lagged'
  /**
   * The log does not have the event that the client's position names: it was lost, the store was restored from an
   * older state, or the position is of another log.
   */
  | 'unknown'
  /** Its last event ID is no position. */
  | 'unreadable';

/**
 * The data of a `gap` event. After it comes a snapshot if the channel has one and the client can be sent it, else
 * everything that the log still has.
 */
export interface Gap {
  readonly channel: string;
  readonly reason: GapReason;
  /**
   * The client's last event ID: the one that it sent or, if it fell behind while connected, the last that it was
   * given. Empty if it had none.
   */
  readonly requested: string;
  /** The id of the oldest event that is left, or null where there is none. */
  readonly oldest: string | null;
  /** The present position of the channel: the id of its newest event. The empty string without history. */
  readonly latest: string;
}

/** Types that only this package sends. */
export const RESERVED_TYPES: ReadonlySet<string> = new Set([
  'sse-position',
  'gap',
  'snapshot',
  'members',
  'denied',
  'expired',
  'connection',
  'error',
]);
