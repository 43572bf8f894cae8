import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { ChannelDefinitions } from '../channels/channel-definitions.js';
import { LEASE_TIME, type SseCluster } from '../cluster/cluster.js';
import { ANSWER_TIME } from '../cluster/scatter-gather.js';
import { delay } from '../delay.js';
import type { SseBackplane } from '../log/backplane.js';
import { storedEvent } from '../log/stored-event.js';
import type { PresenceEvent } from '../presence-member.js';
import { SparseLog, sparseLine } from '../sparse-log.js';
import { SseError } from '../sse.errors.js';
import type { SseSettings } from '../sse.settings.js';
import type { AnnouncedMembers } from './announced-members.js';
import { keyOf, Members, type Member } from './member.js';
import { ALL, LOCAL, broadcast, type Announcement, type ListMessage, type LocalMessage } from './messages.js';
import { MembersCopy } from './shared-members.js';

/** Milliseconds between two checks of which instances are there. */
const CHECK_INTERVAL = 1_000;

/** Milliseconds after which an announcement that has failed is published again. */
const RETRY = 1_000;

/** Codes of temporary failures: the announcement is published again. */
const PASSING: ReadonlySet<string> = new Set([
  'PUBLISH_REJECTED',
  'PUBLISH_UNCERTAIN',
  'BACKPLANE_AWAY',
  'HUB_FULL',
]);

/** Codes that need no warning: the channel or the hub has ended, so nobody is left who wants the announcement. */
const OVER: ReadonlySet<string> = new Set(['CHANNEL_COMPLETED', 'HUB_CLOSED']);

/**
 * The instance that announces for all, while it has the lease. It has a copy of each instance's local members, and
 * publishes a `join` or `leave` where they differ from the announced members.
 *
 * For each member one thing happens at a time. An announcement that was begun is retried until its outcome is known,
 * also if the member is back, or has gone, meanwhile; then the member is looked at again.
 */
export class PresenceLeader {
  readonly #instances = new Map<string, MembersCopy>();
  /** Members with something under way, by {@link keyOf}: the timer of a time of grace, or a publication. */
  readonly #busy = new Map<string, NodeJS.Timeout | 'publishing'>();
  readonly #failures = new SparseLog();
  readonly #logger = new Logger('SseHub');

  /** @param signal is aborted when the lease is lost, or given back */
  constructor(
    private readonly cluster: SseCluster,
    private readonly announced: AnnouncedMembers,
    private readonly definitions: Pick<ChannelDefinitions, 'settingsOf'>,
    private readonly backplane: Pick<SseBackplane, 'append'>,
    private readonly settings: Pick<SseSettings, 'limits' | 'maxEventBytes'>,
    private readonly signal: AbortSignal,
  ) {}

  /** Never rejects. */
  async start(): Promise<void> {
    // Without the copies of the others, a leader that has just started, or was cut off, would announce everybody
    // again, and would not know of members who have gone.
    const { announced } = this;
    const [copies, gone] = await Promise.all([announced.elsewhere(), announced.goneOfLate()]);
    if (this.signal.aborted) return;
    const ended = announced.lead(copies, (channel, user) => this.#reconcile(channel, user), gone);
    const unlisten = this.cluster.listen(LOCAL, (message, from) => {
      if (!('asks' in (message as LocalMessage))) this.#hear(message as ListMessage, from);
    });
    const checking = setInterval(() => void this.#forgetSilent(), CHECK_INTERVAL).unref();
    this.signal.addEventListener('abort', () => {
      unlisten();
      clearInterval(checking);
      for (const timer of this.#busy.values()) if (timer !== 'publishing') clearTimeout(timer);
      this.announced.release();
    });
    broadcast(this.cluster, LOCAL, { asks: ALL });
    // The others need ANSWER_TIME to say who is there. After a killed leader, LEASE_TIME of the grace has passed.
    const away = ended === 'in order' ? 0 : LEASE_TIME;
    for (const [channel, { user }] of this.announced.members)
      this.#reconcile(channel, user, Math.max(this.#graceOf(channel) - away, ANSWER_TIME));
  }

  #hear(message: ListMessage, from: string): void {
    let copy = this.#instances.get(from);
    if (!copy) {
      const changed = (channel: string, user: string): void => this.#reconcile(channel, user);
      copy = new MembersCopy(new Members(), changed, () => broadcast(this.cluster, LOCAL, { asks: from }));
      this.#instances.set(from, copy);
    }
    copy.hear(message);
  }

  /**
   * Forgets instances that are silent and no longer in the cluster. The grace of their members is shorter by the time
   * of the lease, for which they have been away.
   */
  async #forgetSilent(): Promise<void> {
    const quietSince = performance.now() - (LEASE_TIME - CHECK_INTERVAL);
    const quiet = [...this.#instances].filter(([, { heardAt }]) => heardAt < quietSince);
    if (quiet.length === 0) return;
    const there = await this.cluster.instances().catch(() => undefined);
    if (!there || this.signal.aborted) return;
    for (const [instance, copy] of quiet) {
      if (there.includes(instance) || copy.heardAt >= quietSince) continue;
      this.#instances.delete(instance);
      for (const [channel, { user }] of copy.members)
        this.#reconcile(channel, user, Math.max(0, this.#graceOf(channel) - LEASE_TIME));
    }
  }

  /**
   * Announces a `join`, or starts the time of grace, if a user is present and not announced, or announced and not
   * present. Does nothing while an announcement of the user is being published: it is called again after that.
   */
  #reconcile(channel: string, user: string, grace = this.#graceOf(channel)): void {
    const key = keyOf(channel, user);
    const busy = this.#busy.get(key);
    if (busy === 'publishing') return;
    const pending = this.announced.pendingOf(channel, user);
    const present = this.#present(channel, user);
    const announced = this.announced.members.get(channel, user);
    if (pending || present) {
      clearTimeout(busy);
      this.#busy.delete(key);
    }
    if (pending) {
      void this.#publish(pending, 'maybe older');
    } else if (present) {
      const isDue = announced
        ? this.announced.isDoubtful(channel, user)
        : this.announced.members.countIn(channel) < this.settings.limits.membersPerChannel;
      if (isDue) this.#announce('join', channel, present);
      else if (announced) this.announced.inform(channel, { ...present, since: announced.since });
    } else if (announced && !busy) {
      const timer = setTimeout(() => this.#announce('leave', channel, announced), grace);
      this.#busy.set(key, timer.unref());
    }
  }

  /** The member with the info of the instance to which the user came last, and the time of the first. */
  #present(channel: string, user: string): Member | undefined {
    const all = [...this.#instances.values()].flatMap((copy) => copy.members.get(channel, user) ?? []);
    const [oldest, ...newer] = all.toSorted((one, other) => one.since - other.since);
    const newest = newer.at(-1);
    return oldest && newest ? { ...newest, since: oldest.since } : oldest;
  }

  #announce(type: Announcement['type'], channel: string, member: Member): void {
    void this.#publish({ id: randomUUID(), type, channel, stay: member }, 'newest');
  }

  async #publish(announcement: Announcement, place: 'newest' | 'maybe older'): Promise<void> {
    const { channel, stay: member } = announcement;
    const key = keyOf(channel, member.user);
    this.#busy.set(key, 'publishing');
    while (!this.signal.aborted && !(await this.#tryPublish(announcement)))
      await delay(RETRY, this.signal).catch(() => undefined);
    if (this.signal.aborted) return; // the next leader publishes it again
    this.#busy.delete(key);
    this.announced.settled(announcement, place);
    this.#reconcile(channel, member.user);
  }

  /** @returns whether its outcome is known: it was published, or never will be */
  async #tryPublish(announcement: Announcement): Promise<boolean> {
    const { id, type, channel, stay: member } = announcement;
    const settings = this.definitions.settingsOf(channel);
    if (!settings.presence?.events) return true;
    this.announced.say(announcement);
    try {
      const data: PresenceEvent = { user: member.user, info: member.info };
      const event = storedEvent({ type, data }, 'hub', this.settings.maxEventBytes);
      await this.backplane.append(channel, settings, event, `presence-${id}`);
      return true;
    } catch (error) {
      const code = error instanceof SseError ? error.code : '';
      // While the backplane is away, all announcements fail every second.
      const line = `A ${type} could not be published to the channel "${channel}": ${String(error)}`;
      if (!OVER.has(code))
        this.#failures.add(code, (leftOut) =>
          this.#logger.warn(sparseLine(line, leftOut, { channel, code })),
        );
      return !PASSING.has(code);
    }
  }

  #graceOf(channel: string): number {
    return this.definitions.settingsOf(channel).presence?.grace ?? 0;
  }
}
