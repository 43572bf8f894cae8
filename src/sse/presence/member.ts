import type { PresenceMember } from '../presence-member.js';

/** The members of a channel, in the order of their coming. */
export interface PresenceMembers extends Array<PresenceMember> {
  /**
   * The position in the channel from which its events continue the list: a stream that begins here has every
   * `join` and `leave` after it, and may repeat the `join` of a listed member. Empty where the channel has no history.
   * JSON leaves it out: send it beside the members.
   */
  readonly position: string;
}

/** A member, as instances tell each other: a user with connections on one of them, or an announced one. */
export interface Member {
  readonly user: string;
  readonly info?: unknown;
  /** In milliseconds since 1970. */
  readonly since: number;
}

/** A member, with the number of its connections. */
export interface CountedMember extends Member {
  readonly connections: number;
}

/** Members by channel. A channel without members takes no memory. */
export class Members {
  readonly #channels = new Map<string, Map<string, Member>>();

  get(channel: string, user: string): Member | undefined {
    return this.#channels.get(channel)?.get(user);
  }

  set(channel: string, member: Member): void {
    const members = this.#channels.get(channel);
    if (members) members.set(member.user, member);
    else this.#channels.set(channel, new Map([[member.user, member]]));
  }

  delete(channel: string, user: string): void {
    const members = this.#channels.get(channel);
    members?.delete(user);
    if (members?.size === 0) this.#channels.delete(channel);
  }

  clear(): void {
    this.#channels.clear();
  }

  countIn(channel: string): number {
    return this.#channels.get(channel)?.size ?? 0;
  }

  /** The number of members in each channel that has any. */
  counts(): { readonly channel: string; readonly members: number }[] {
    return [...this.#channels].map(([channel, { size }]) => ({ channel, members: size }));
  }

  in(channel: string): Member[] {
    return [...(this.#channels.get(channel)?.values() ?? [])];
  }

  *[Symbol.iterator](): Iterator<readonly [channel: string, member: Member]> {
    for (const [channel, members] of this.#channels)
      for (const member of members.values()) yield [channel, member];
  }
}

/** The key of a user in a channel; a channel's name has no line break. */
export const keyOf = (channel: string, user: string): string => `${channel}\n${user}`;

/** Merges what instances say of each user, in the order of coming. */
export function membersOf(counted: readonly CountedMember[]): PresenceMember[] {
  const members = new Map<string, PresenceMember>();
  for (const member of counted.toSorted((one, other) => one.since - other.since)) {
    const older = members.get(member.user);
    members.set(member.user, {
      ...member,
      since: older?.since ?? new Date(member.since),
      connections: member.connections + (older?.connections ?? 0),
    });
  }
  return [...members.values()];
}
