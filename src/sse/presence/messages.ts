import type { SseCluster } from '../cluster/cluster.js';
import type { Member } from './member.js';

/*
 * The messages of presence, which instances broadcast to each other. Instances of two versions share channels during a
 * deployment, so topics and fields stay as they are in 0.2.0: there a member is a `stay`, and whoever is about to
 * publish a `join` or `leave` `says` so.
 *
 * A broadcast arrives at most once, so nobody relies on one: a list that changes has a version, which is told again
 * every few seconds, and an instance whose copy has another version asks for the whole list.
 */

/** A member of a channel. */
export type Entry = readonly [channel: string, stay: Member];

/** The keeper of a list of members tells how it changes. */
export type ListMessage =
  /** Heartbeat: the list is at this version. */
  | Readonly<{ version: number }>
  /** A change: this member has come; without `stay` the user has gone. */
  | Readonly<{ version: number; channel: string; user: string; stay?: Member }>
  /** A part of the whole list, as of this version. */
  | Readonly<{ version: number; entries: readonly Entry[]; part: number; parts: number }>;

/** Topic of the local members, of which every instance keeps a list. */
export const LOCAL = 'sse-presence';

/** Asks one instance by its name, or {@link ALL}, for the whole list. */
export type LocalMessage = ListMessage | { readonly asks: string };

export const ALL = 'all';

/** Topic of the announced members, of which the leader keeps a list. */
export const ANNOUNCED = 'sse-presence-announced';

export type AnnouncedMessage =
  | ListMessage
  /** Asks the leader for the whole list. */
  | { readonly asks: true }
  /** The leader ends in order. */
  | { readonly leaves: true }
  /** The sender is about to publish this. */
  | { readonly says: Announcement };

/** A `join` or `leave` that is about to be published. */
export interface Announcement {
  /** Its publish id: it is stored once, however often and by whomever it is published. */
  readonly id: string;
  readonly type: 'join' | 'leave';
  readonly channel: string;
  readonly stay: Member;
}

/** Topic of the questions that `hub.presence()`, and a new leader, ask all instances. */
export const QUESTIONS = 'sse-presence-questions';

/** First item of the answer of an instance that has a copy of the list: an empty copy is not the same as none. */
export const KNOWN = 'known';

export function broadcast(
  cluster: SseCluster,
  topic: string,
  message: LocalMessage | AnnouncedMessage,
): void {
  cluster.broadcast(topic, message).catch(() => undefined);
}
