import { isDeepStrictEqual } from 'node:util';
import { Logger } from '@nestjs/common';
import type { ChannelDefinitions } from '../channels/channel-definitions.js';
import { LEASE_TIME, type SseCluster } from '../cluster/cluster.js';
import { ScatterGather } from '../cluster/scatter-gather.js';
import type { ConnectionFeatures, ConnectionHandle, StreamObserver } from '../http/connection-part.js';
import type { Identity } from '../http/identity.js';
import type { SseBackplane } from '../log/backplane.js';
import type { PresenceMember } from '../presence-member.js';
import { SseError } from '../sse.errors.js';
import type { SseSettings } from '../sse.settings.js';
import { AnnouncedMembers } from './announced-members.js';
import { Members, membersOf, type CountedMember, type Member } from './member.js';
import { ALL, LOCAL, QUESTIONS, type LocalMessage } from './messages.js';
import { PresenceLeader } from './presence-leader.js';
import { SharedMembers } from './shared-members.js';

/** The connections of a local member. */
interface LocalConnections {
  readonly open: Set<ConnectionHandle>;
  /** When the newest came, whose info the member has: in milliseconds since 1970. */
  readonly newestAt: number;
}

/**
 * Presence: which users stream a channel, on all instances.
 *
 * Lists. Each instance keeps a list of its local members: the users with connections to it. It broadcasts
 * each change of the list, and the leader has a copy of it (shared-members.ts). The lists are not in the backplane's
 * store: that would mean a write for each member and each heartbeat, and no presence while the store is away.
 * `hub.presence()` asks all instances for their local members.
 *
 * Announcements. One instance has the lease and leads: it alone publishes `join` and `leave` (presence-leader.ts). It
 * keeps the list of the announced members, and all others have a copy of it (announced-members.ts).
 *
 * Time of grace. A user without connections stays announced for `grace`, and is listed with `connections: 0`. A user
 * who is back in time was never away.
 *
 * An instance that ends without a word is missing in `cluster.instances()` after the time of the lease. The leader then
 * forgets its list; the time of the lease counts as a part of the time of grace.
 *
 * A change of leaders. The new leader asks the others for their copies of the announced members, publishes once more
 * what its predecessor was about to publish, and goes on from there. A user who is missing in some copy is doubtful:
 * the `join` or `leave` is announced again, as twice is better than never. It asks as well for members who have gone of late: one
 * who came and went while nobody led is in no copy, and in the lists of clients that were made meanwhile.
 *
 * All messages between instances are in messages.ts.
 */
export class Presence implements StreamObserver {
  readonly #local = new Members();
  readonly #shared: SharedMembers;
  readonly #connections = new WeakMap<Member, LocalConnections>();
  readonly #announced: AnnouncedMembers;
  readonly #questions: ScatterGather;
  /** `unused` until the first member comes: an application without members pays for nothing. */
  #state: 'unused' | 'used' | 'closed' = 'unused';
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(
    private readonly settings: SseSettings,
    private readonly definitions: ChannelDefinitions,
    private readonly backplane: SseBackplane,
    private readonly cluster: SseCluster,
    features: ConnectionFeatures,
  ) {
    this.#shared = new SharedMembers(cluster, LOCAL, this.#local);
    this.#questions = new ScatterGather(cluster, QUESTIONS);
    this.#questions.answer('members', ({ channel }: { readonly channel: string }) => this.#known(channel));
    this.#announced = new AnnouncedMembers(cluster, this.#questions);
    features.observe(this);
  }

  /** @throws SseError `INVALID_OPTIONS` for a channel without presence */
  check(channel: string): void {
    if (this.#hasPresence(channel)) return;
    throw new SseError(
      'INVALID_OPTIONS',
      `The channel "${channel}" has no presence. Define it with presence: true, and give the definition to SseModule.forFeature().`,
    );
  }

  /** @throws SseError `BACKPLANE_AWAY`, `HUB_CLOSED` */
  async members(channel: string): Promise<PresenceMember[]> {
    const { answers, missing } = await this.#questions.ask<CountedMember>('members', { channel });
    const elsewhere = answers.flatMap(({ items }) => items);
    // For an instance that did not answer, the announced members stand in.
    const announced = missing.size > 0 ? this.#announced.in(channel) : [];
    const all = [...announced, ...this.#known(channel), ...elsewhere];
    return membersOf(all).slice(0, this.settings.limits.membersPerChannel);
  }

  /** The members with connections to this instance, by channel. */
  localCounts(): { readonly channel: string; readonly members: number }[] {
    return this.#local.counts();
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  began(channel: string, subscriber: ConnectionHandle): void {
    const { identity } = subscriber;
    if (!identity || this.#state === 'closed' || !this.#hasPresence(channel)) return;
    if (this.#state === 'unused') this.#start();
    const known = this.#local.get(channel, identity.user);
    if (!known && this.#local.countIn(channel) >= this.settings.limits.membersPerChannel) return;
    const now = Date.now();
    const member = { user: identity.user, ...publicInfoOf(identity), since: known?.since ?? now };
    const { open } = (known && this.#connections.get(known)) ?? { open: new Set<ConnectionHandle>() };
    this.#connections.set(member, { open: open.add(subscriber), newestAt: now });
    if (isDeepStrictEqual(member, known)) this.#local.set(channel, member);
    else this.#shared.set(channel, member);
  }

  ended(channel: string, subscriber: ConnectionHandle): void {
    const { user = '' } = subscriber.identity ?? {};
    const member = this.#local.get(channel, user);
    const open = member && this.#connections.get(member)?.open;
    // A connection beyond membersPerChannel was never counted.
    if (!member || !open?.delete(subscriber) || open.size > 0) return;
    this.#shared.delete(channel, user);
    if (this.definitions.settingsOf(channel).presence?.events) this.#announced.noteGone(channel, member);
  }

  /** Ends presence here. The other instances keep the announced members, and one of them leads. */
  close(): void {
    this.#state = 'closed';
    clearInterval(this.#heartbeat);
    this.#announced.close();
  }

  #start(): void {
    this.#state = 'used';
    const { cluster, definitions, backplane, settings } = this;
    this.#announced.start();
    cluster.listen(LOCAL, (message) => {
      const { asks } = message as Extract<LocalMessage, { asks: string }>;
      if (asks === ALL || asks === cluster.instance) this.#shared.tellAll();
    });
    cluster.lead('sse-presence', (signal) => {
      const leader = new PresenceLeader(cluster, this.#announced, definitions, backplane, settings, signal);
      void leader.start();
    });
    this.#heartbeat = setInterval(() => {
      this.#shared.tellVersion();
      this.#announced.tellVersion();
    }, LEASE_TIME / 2).unref();
  }

  /**
   * The members that this instance knows of: its own; if it leads, the announced ones too, with 0 connections, which
   * {@link membersOf} merges with those that have some.
   */
  #known(channel: string): CountedMember[] {
    const local = this.#local.in(channel).flatMap((member) => {
      const { open, newestAt } = this.#connections.get(member) as LocalConnections;
      // The second entry gives the info its place in time: of all entries of a user the newest one's info is taken.
      return [
        { ...member, connections: open.size },
        ...(newestAt > member.since ? [{ ...member, connections: 0, since: newestAt }] : []),
      ];
    });
    // Local members come after announced ones, as their info is at least as new.
    return this.#announced.isLeader ? [...this.#announced.in(channel), ...local] : local;
  }

  #hasPresence(channel: string): boolean {
    return this.definitions.settingsOf(channel).presence !== undefined;
  }
}

const logger = new Logger('SseHub');

/** The information for others. Everybody sees what JSON makes of it, on this instance too. */
function publicInfoOf({ user, info }: Identity): { info?: unknown } {
  try {
    const json = JSON.stringify(info) as string | undefined;
    return json === undefined ? {} : { info: JSON.parse(json) as unknown };
  } catch (error) {
    logger.warn(`The info of the user "${user}" is no JSON value and is left out: ${String(error)}`);
    return {};
  }
}
