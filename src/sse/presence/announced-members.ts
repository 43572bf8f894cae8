import { isDeepStrictEqual } from 'node:util';
import { LEASE_TIME, type SseCluster } from '../cluster/cluster.js';
import type { ScatterGather } from '../cluster/scatter-gather.js';
import { keyOf, Members, type CountedMember, type Member } from './member.js';
import {
  ANNOUNCED,
  KNOWN,
  broadcast,
  type AnnouncedMessage,
  type Announcement,
  type Entry,
} from './messages.js';
import { RecentMembers } from './recent-members.js';
import { MembersCopy, SharedMembers } from './shared-members.js';

type Reconcile = (channel: string, user: string) => void;

/**
 * - `unknown`: this instance has no copy of the list.
 * - `follower`: it has a copy of the list of `leader`, and follows another leader as soon as it hears one.
 * - `orphan`: the leader has ended in order, and the copy is complete.
 * - `leader`: it has the lease, which an instance may get in any of the other roles, and becomes `unknown` without it.
 */
type Role =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'follower'; readonly leader: string }
  | { readonly kind: 'orphan' }
  | { readonly kind: 'leader'; readonly reconcile: Reconcile };

/** Milliseconds for which a leader that was cut off may go on announcing, unheard, before it notices. */
const UNHEARD = 2 * LEASE_TIME;

/**
 * The announced members: those whose `join` was published, and whose `leave` was not. The leader keeps the list and
 * the others have a copy, so that the next leader goes on where this one was.
 *
 * An announcement is told to the others before it is published, and is pending until it is known to be in the log. The
 * next leader publishes again what is pending, so what a leader sent when it was cut off cannot get into the log after
 * what the next one announces.
 */
export class AnnouncedMembers {
  readonly members = new Members();
  readonly #shared: SharedMembers;
  readonly #copy: MembersCopy;
  /** By {@link keyOf}. */
  readonly #pending = new Map<string, Announcement>();
  /** Members whose last event in the log may be a `leave`, after a change of leaders; by {@link keyOf}. */
  readonly #doubtful = new Set<string>();
  /** Announcements of this instance within {@link UNHEARD}, with the time: `performance.now()`. */
  readonly #recent: { readonly announcement: Announcement; readonly at: number }[] = [];
  readonly #gone = new RecentMembers(UNHEARD);
  #role: Role = { kind: 'unknown' };

  constructor(
    private readonly cluster: SseCluster,
    private readonly questions: ScatterGather,
  ) {
    const ask = (): void => broadcast(cluster, ANNOUNCED, { asks: true });
    this.#shared = new SharedMembers(cluster, ANNOUNCED, this.members);
    this.#copy = new MembersCopy(this.members, () => undefined, ask);
    questions.answer('gone', () => this.#goneUnheard());
    questions.answer('announced', () => (this.#role.kind === 'unknown' ? [] : [KNOWN, ...this.members]));
  }

  start(): void {
    this.cluster.listen(ANNOUNCED, (message, from) => {
      if (from !== this.cluster.instance) this.#hear(message as AnnouncedMessage, from);
    });
    broadcast(this.cluster, ANNOUNCED, { asks: true });
  }

  get isLeader(): boolean {
    return this.#role.kind === 'leader';
  }

  /** The announced members for a list: with 0 connections, and not those whose `leave` may be in the log. */
  in(channel: string): CountedMember[] {
    const listed = this.members
      .in(channel)
      .filter(({ user }) => this.pendingOf(channel, user)?.type !== 'leave');
    return listed.map((member) => ({ ...member, connections: 0 }));
  }

  pendingOf(channel: string, user: string): Announcement | undefined {
    return this.#pending.get(keyOf(channel, user));
  }

  isDoubtful(channel: string, user: string): boolean {
    return this.#doubtful.has(keyOf(channel, user));
  }

  /** The copies of the other instances that have one. */
  async elsewhere(): Promise<Entry[][]> {
    const { answers } = await this.questions.ask('announced').catch(() => ({ answers: [] }));
    return answers.flatMap(({ items: [known, ...entries] }) => (known === KNOWN ? [entries as Entry[]] : []));
  }

  /** A local member has gone. */
  noteGone(channel: string, member: Member): void {
    this.#gone.add(channel, member);
  }

  /** The members of all instances who have gone of late, of which no leader may have heard. */
  async goneOfLate(): Promise<Entry[]> {
    // An instance of an older version does not answer.
    const { answers } = await this.questions.ask<Entry>('gone').catch(() => ({ answers: [] }));
    return [...this.#goneUnheard(), ...answers.flatMap(({ items }) => items)];
  }

  /** A leader that was heard has heard who is there, or has asked for it by its next sign of life. */
  #goneUnheard(): Entry[] {
    return this.#gone.since(this.#copy.heardAt - LEASE_TIME / 2);
  }

  /**
   * Keeps the list from now on, with everybody whom a copy has. A member whom not all copies have is doubtful. So is one who has
   * gone and is in no copy: a list that somebody made while nobody led may have that member.
   *
   * @param reconcile is called for each member of whom an announcement is pending
   * @param gone as {@link goneOfLate} has it
   * @returns how the leader before has ended, if there was one
   */
  lead(
    copies: readonly (readonly Entry[])[],
    reconcile: Reconcile,
    gone: readonly Entry[] = [],
  ): 'in order' | 'without a word' {
    const { kind } = this.#role;
    const all = kind === 'unknown' ? copies : [[...this.members], ...copies];
    const counts = new Map<string, number>();
    for (const [channel, member] of all.flat()) {
      const key = keyOf(channel, member.user);
      counts.set(key, (counts.get(key) ?? 0) + 1);
      if (!this.members.get(channel, member.user)) this.members.set(channel, member);
    }
    for (const [key, count] of counts) if (count < all.length) this.#doubtful.add(key);
    for (const [channel, member] of gone) {
      if (this.members.get(channel, member.user)) continue;
      this.members.set(channel, member);
      this.#doubtful.add(keyOf(channel, member.user));
    }
    this.#role = { kind: 'leader', reconcile };
    this.#tellAll();
    for (const { channel, stay: member } of this.#pending.values()) reconcile(channel, member.user);
    return kind === 'follower' ? 'without a word' : 'in order';
  }

  /** Gives up the lead. */
  release(): void {
    this.#role = { kind: 'unknown' };
    this.#doubtful.clear();
    this.#copy.expectAnotherKeeper();
  }

  /** Tells the others what is about to be published, before each attempt. */
  say(announcement: Announcement): void {
    const key = keyOf(announcement.channel, announcement.stay.user);
    if (!this.#pending.has(key)) this.#pending.set(key, announcement);
    this.#recent.push({ announcement, at: performance.now() });
    broadcast(this.cluster, ANNOUNCED, { says: announcement });
  }

  /**
   * An announcement is in the log, or never will be.
   *
   * @param place `newest`: it is the newest event of this member in the log. `maybe older`: it was a former leader's,
   * so others of this member may follow it. After such a `leave` the member stays on the list, and is doubtful until
   * the leader has reconciled it
   */
  settled(announcement: Announcement, place: 'newest' | 'maybe older'): void {
    const { type, channel, stay: member } = announcement;
    const key = keyOf(channel, member.user);
    // Another one may have been heard of meanwhile.
    if (this.#pending.get(key)?.id === announcement.id) this.#pending.delete(key);
    if (place === 'maybe older') this.#doubtful.add(key);
    else this.#doubtful.delete(key);
    if (place === 'newest' && type === 'leave') this.#shared.delete(channel, member.user);
    else this.#shared.set(channel, member);
  }

  /** An announced member may have another info. */
  inform(channel: string, member: Member): void {
    if (!isDeepStrictEqual(this.members.get(channel, member.user), member)) this.#shared.set(channel, member);
  }

  /** Tells the others the version of the list, if this instance leads; to be called every few seconds. */
  tellVersion(): void {
    const since = performance.now() - UNHEARD;
    while (this.#recent[0] && this.#recent[0].at < since) this.#recent.shift();
    this.#gone.forgetOld();
    if (this.isLeader) this.#shared.tellVersion();
  }

  close(): void {
    if (this.isLeader) broadcast(this.cluster, ANNOUNCED, { leaves: true });
  }

  #hear(message: AnnouncedMessage, from: string): void {
    const role = this.#role;
    if ('asks' in message) {
      if (role.kind === 'leader') this.#tellAll();
    } else if ('leaves' in message) {
      if (role.kind === 'follower' && role.leader === from) this.#role = { kind: 'orphan' };
    } else if ('says' in message) {
      const { channel, stay: member } = message.says;
      this.#pending.set(keyOf(channel, member.user), message.says);
      if (role.kind === 'leader') role.reconcile(channel, member.user);
    } else if (role.kind !== 'leader') {
      this.#follow(from);
      if ('channel' in message) this.#pending.delete(keyOf(message.channel, message.user));
      // The leader tells what is still pending after the whole list; anything else is done.
      if ('entries' in message) this.#pending.clear();
      this.#copy.hear(message);
    }
  }

  #follow(leader: string): void {
    if (this.#role.kind === 'follower' && this.#role.leader === leader) return;
    this.#role = { kind: 'follower', leader };
    this.#copy.expectAnotherKeeper();
    // When this instance was cut off, the leader may not have heard them.
    for (const { announcement } of this.#recent.splice(0))
      broadcast(this.cluster, ANNOUNCED, { says: announcement });
  }

  #tellAll(): void {
    this.#shared.tellAll();
    for (const says of this.#pending.values()) broadcast(this.cluster, ANNOUNCED, { says });
  }
}
