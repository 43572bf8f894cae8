/** A member of a channel, as `hub.presence()` lists it. A page gets it in JSON form, with `since` as an ISO string. */
export interface PresenceMember {
  /** The name of the user, as `identify` gives it. */
  readonly user: string;
  /** JSON of what `identify` lets others know of the user: from the newest connection. */
  readonly info?: unknown;
  /** How many connections of the user stream the channel, on all instances; 0 during the time of grace. */
  readonly connections: number;
  /** When the user came. */
  readonly since: Date;
}

/** The data of the events `join` and `leave` of a channel that has them. */
export interface PresenceEvent {
  readonly user: string;
  readonly info?: unknown;
}
