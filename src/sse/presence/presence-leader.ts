import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { ChannelDefinitions } from '../channels/channel-definitions.js';
import { LEASE_TIME, type SseCluster } from '../cluster/cluster.js';
import { ANSWER_TIME } from '../cluster/scatter-gather.js';
import type { SseBackplane } from '../log/backplane.js';
import { storedEvent } from '../log/stored-event.js';
import { SseError } from '../sse.errors.js';
import type { SseSettings } from '../sse.settings.js';
import type { AnnouncedMembers } from './announced-members.js';
import { keyOf, Members, type Member, type PresenceEvent } from './member.js';
import { ALL, LOCAL, tell, type Announcement, type ListMessage, type LocalMessage } from './messages.js';
import { MembersCopy } from './shared-members.js';

/** Milliseconds between two looks at which instances are there. */
const LOOK = 1_000;

/** Milliseconds after which an announcement that has failed is published again. */
const RETRY = 1_000;

/** Codes of failures that pass: the announcement is published again. */
const PASSING: ReadonlySet<string> = new Set([
  'PUBLISH_REJECTED',
  'PUBLISH_UNCERTAIN',
  'BACKPLANE_AWAY',
  'HUB_FULL',
]);

/** Codes of failures that are none: nobody is left to be told. */
const OVER: ReadonlySet<string> = new Set(['CHANNEL_COMPLETED', 'HUB_CLOSED']);

/**
 * The instance that announces for all, while it has the lease. It has a copy of each instance's local members, and
 * publishes a `join` or `leave` where they differ from the announced members.
 *
 * For each member one thing happens at a time. An announcement that was begun is published until it is known what has
 * come of it, also if the member is back, or has gone, meanwhile; then the member is looked at again.
 */
export class PresenceLeader {
  readonly #instances = new Map<string, MembersCopy>();
  /** By {@link keyOf}: the timer of a time of grace, or an announcement is being published. */
  readonly #busy = new Map<string, NodeJS.Timeout | 'publishing'>();
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
    // An instance that has just started, or was cut off, would announce everybody again, and forget who has gone.
    const copies = await this.announced.elsewhere();
    if (this.signal.aborted) return;
    const ended = this.announced.lead(copies, (channel, user) => this.#look(channel, user));
    const unlisten = this.cluster.listen(LOCAL, (message, from) => {
      if (!('asks' in (message as LocalMessage))) this.#hear(message as ListMessage, from);
    });
    const looking = setInterval(() => void this.#lookAtInstances(), LOOK).unref();
    this.signal.addEventListener('abort', () => {
      unlisten();
      clearInterval(looking);
      for (const timer of this.#busy.values()) if (timer !== 'publishing') clearTimeout(timer);
      this.announced.release();
    });
    tell(this.cluster, LOCAL, { asks: ALL });
    // The others need a moment to say who is there. A leader that was killed has been away for the time of its lease.
    const away = ended === 'in order' ? 0 : LEASE_TIME;
    for (const [channel, { user }] of this.announced.members)
      this.#look(channel, user, Math.max(this.#graceOf(channel) - away, ANSWER_TIME));
  }

  #hear(message: ListMessage, from: string): void {
    const copy = this.#instances.get(from) ?? this.#copyOf(from);
    this.#instances.set(from, copy);
    copy.hear(message);
  }

  #copyOf(instance: string): MembersCopy {
    const look = (channel: string, user: string): void => this.#look(channel, user);
    return new MembersCopy(new Members(), look, () => tell(this.cluster, LOCAL, { asks: instance }));
  }

  /** The members of an instance that has ended without a farewell have been away for the time of its lease. */
  async #lookAtInstances(): Promise<void> {
    const quietSince = performance.now() - (LEASE_TIME - LOOK);
    const quiet = [...this.#instances].filter(([, { heardAt }]) => heardAt < quietSince);
    if (quiet.length === 0) return;
    const there = await this.cluster.instances().catch(() => undefined);
    if (!there || this.signal.aborted) return;
    for (const [instance, copy] of quiet) {
      if (there.includes(instance) || copy.heardAt >= quietSince) continue;
      this.#instances.delete(instance);
      for (const [channel, { user }] of copy.members)
        this.#look(channel, user, Math.max(0, this.#graceOf(channel) - LEASE_TIME));
    }
  }

  /** Compares what was announced of a user with what is so, unless that is done after a publication anyway. */
  #look(channel: string, user: string, grace = this.#graceOf(channel)): void {
    const key = keyOf(channel, user);
    const busy = this.#busy.get(key);
    if (busy === 'publishing') return;
    const pending = this.announced.pendingOf(channel, user);
    const present = this.#oldest(channel, user);
    const announced = this.announced.members.get(channel, user);
    if (pending) {
      void this.#publish(pending, 'somewhere');
    } else if (present) {
      clearTimeout(busy);
      this.#busy.delete(key);
      const isDue = announced
        ? this.announced.isDoubtful(channel, user)
        : this.announced.members.countIn(channel) < this.settings.limits.membersPerChannel;
      if (isDue) this.#announce('join', channel, present);
    } else if (announced && !busy) {
      const timer = setTimeout(() => this.#announce('leave', channel, announced), grace);
      this.#busy.set(key, timer.unref());
    }
  }

  /** The member as the instance has it to which the user came first. */
  #oldest(channel: string, user: string): Member | undefined {
    let oldest: Member | undefined;
    for (const copy of this.#instances.values()) {
      const member = copy.members.get(channel, user);
      if (member && (!oldest || member.since < oldest.since)) oldest = member;
    }
    return oldest;
  }

  #announce(type: Announcement['type'], channel: string, stay: Member): void {
    void this.#publish({ id: randomUUID(), type, channel, stay }, 'last');
  }

  async #publish(announcement: Announcement, place: 'last' | 'somewhere'): Promise<void> {
    const { channel, stay } = announcement;
    const key = keyOf(channel, stay.user);
    const busy = this.#busy.get(key);
    if (busy !== 'publishing') clearTimeout(busy);
    this.#busy.set(key, 'publishing');
    while (!this.signal.aborted && !(await this.#isPublished(announcement)))
      await delay(RETRY, undefined, { signal: this.signal, ref: false }).catch(() => undefined);
    if (this.signal.aborted) return; // the next leader publishes it again
    this.#busy.delete(key);
    this.announced.published(announcement, place);
    this.#look(channel, stay.user);
  }

  /** @returns whether it is known what has come of it */
  async #isPublished(announcement: Announcement): Promise<boolean> {
    const { id, type, channel, stay } = announcement;
    const settings = this.definitions.settingsOf(channel);
    if (!settings.presence?.events) return true;
    this.announced.say(announcement);
    try {
      const data: PresenceEvent = { user: stay.user, ...(stay.info !== undefined && { info: stay.info }) };
      const event = storedEvent({ type, data }, 'hub', this.settings.maxEventBytes);
      await this.backplane.append(channel, settings, event, `presence-${id}`);
      return true;
    } catch (error) {
      const code = error instanceof SseError ? error.code : '';
      if (!OVER.has(code)) this.#logger.warn(`A ${type} of the channel "${channel}": ${String(error)}`);
      return !PASSING.has(code);
    }
  }

  #graceOf(channel: string): number {
    return this.definitions.settingsOf(channel).presence?.grace ?? 0;
  }
}
