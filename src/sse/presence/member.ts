/** Somebody who is in a channel, as `hub.presence()` tells of it. */
export interface PresenceMember {
  /** As `identify` names them. */
  readonly user: string;
  /** What `identify` lets others know of them, as JSON has it: from the newest of their stays. */
  readonly info?: unknown;
  /** How many of their connections stream the channel, on all instances; 0 during the time of grace. */
  readonly connections: number;
  /** Since when they have been there. */
  readonly since: Date;
}

/** Who is in a channel, in the order of their coming. */
export interface PresenceMembers extends Array<PresenceMember> {
  /**
   * The position in the channel from which its events continue the list: a stream that begins here tells of all
   * who come and go later. Somebody of the list may be told of once more. Empty where the channel has no history.
   * JSON leaves it out: send it beside the members.
   */
  readonly position: string;
}

/** The data of the events `join` and `leave` of a channel that has them. */
export interface PresenceEvent {
  readonly user: string;
  readonly info?: unknown;
}

/** A user in a channel, as instances tell each other of it. */
export interface Stay {
  readonly user: string;
  readonly info?: unknown;
  /** In milliseconds since 1970. */
  readonly since: number;
}

/** A stay, and how many connections it is made of. */
export interface CountedStay extends Stay {
  readonly connections: number;
}

/** Who is there, each once, in the order of their coming. */
export function membersOf(stays: Iterable<CountedStay>): PresenceMember[] {
  const members = new Map<string, CountedStay>();
  for (const stay of stays) {
    const other = members.get(stay.user);
    members.set(stay.user, other ? joined(stay, other) : stay);
  }
  return [...members.values()]
    .sort((one, other) => one.since - other.since)
    .map((stay) => ({ ...stay, since: new Date(stay.since) }));
}

function joined(one: CountedStay, other: CountedStay): CountedStay {
  const [older, newer] = one.since <= other.since ? [one, other] : [other, one];
  return { ...newer, since: older.since, connections: one.connections + other.connections };
}
