import { SseError } from '../sse.errors.js';
import type { PresenceSettings, SseSettings } from '../sse.settings.js';
import type { SseBackplane } from '../log/backplane.js';
import type { ChannelDefinitions } from '../channels/channel-definitions.js';
import { LEASE_TIME, type SseCluster } from '../cluster/cluster.js';
import { PresenceAnnounced, type Saying } from './announced.js';
import { ALL, PresenceAnnouncer, ROSTERS, type PresenceChannels, type RosterMessage } from './announcer.js';
import { membersOf, type CountedStay, type PresenceEvent, type PresenceMember } from './member.js';
import { PresenceRoster } from './roster.js';
import { SharedStays, type Entry } from './sharing.js';
import { storedEvent } from '../log/stored-event.js';
import type { ConnectionFeatures, ConnectionHandle, StreamObserver } from '../http/connection-part.js';
import { ScatterGather } from '../cluster/scatter-gather.js';

/** What the answer of an instance begins with that knows what was announced. */
const KNOWN = 'known';

/** Who is in the channels that have presence, on all instances. */
export class Presence implements PresenceChannels, StreamObserver {
  readonly #roster: PresenceRoster;
  readonly #shared: SharedStays;
  readonly #survey: ScatterGather;
  #announced: PresenceAnnounced | undefined;
  #telling: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(
    private readonly settings: SseSettings,
    private readonly definitions: ChannelDefinitions,
    private readonly backplane: SseBackplane,
    private readonly cluster: SseCluster,
    features: ConnectionFeatures,
  ) {
    this.#roster = new PresenceRoster(settings.limits.membersPerChannel);
    this.#shared = new SharedStays(cluster, ROSTERS, () => this.#roster.stays);
    this.#survey = new ScatterGather(cluster, 'sse-presence-questions');
    this.#survey.answer('members', ({ channel }: { readonly channel: string }) => this.#here(channel));
    this.#survey.answer('announced', () =>
      this.#announced?.isKnown ? [KNOWN, ...this.#announced.stays] : [],
    );
    features.observe(this);
  }

  /** @throws SseError `INVALID_OPTIONS` for a channel without presence */
  check(channel: string): void {
    if (this.#settingsOf(channel)) return;
    throw new SseError(
      'INVALID_OPTIONS',
      `The channel "${channel}" has no presence. Define it with presence: true, and give the definition to SseModule.forFeature().`,
    );
  }

  /** @throws SseError `BACKPLANE_AWAY`, `HUB_CLOSED` */
  async members(channel: string): Promise<PresenceMember[]> {
    const { answers, missing } = await this.#survey.ask<CountedStay>('members', { channel });
    const elsewhere = answers.flatMap(({ items }) => items);
    // Whom an instance that does not answer would tell of, this one has heard of.
    const announced = missing.size > 0 ? this.#announcedIn(channel) : [];
    const stays = [...this.#here(channel), ...elsewhere, ...announced];
    return membersOf(stays).slice(0, this.settings.limits.membersPerChannel);
  }

  hasEvents(channel: string): boolean {
    return this.#settingsOf(channel)?.events === true;
  }

  async publish({ id, type, channel, stay }: Saying): Promise<void> {
    if (!this.hasEvents(channel)) return;
    const { user, info } = stay;
    const data: PresenceEvent = { user, ...(info !== undefined && { info }) };
    const event = storedEvent({ type, data }, 'hub', this.settings.maxEventBytes);
    await this.backplane.append(channel, this.definitions.settingsOf(channel), event, `presence-${id}`);
  }

  async remembered(): Promise<Entry[][]> {
    const asked = this.#survey.ask('announced').catch(() => ({ answers: [] }));
    const { answers } = await asked;
    const known = answers.filter(({ items }) => items[0] === KNOWN);
    return known.map(({ items }) => items.slice(1) as Entry[]);
  }

  graceOf(channel: string): number {
    return this.#settingsOf(channel)?.grace ?? 0;
  }

  /** What was announced is for others to go on with. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#telling);
    this.#announced?.close();
  }

  began(channel: string, subscriber: ConnectionHandle): void {
    const identity = subscriber.identity;
    if (!identity || this.#isClosed || !this.#settingsOf(channel)) return;
    if (!this.#roster.enter(channel, identity, subscriber)) return;
    this.#start();
    this.#shared.tellChange(channel, identity.user);
  }

  ended(channel: string, subscriber: ConnectionHandle): void {
    const identity = subscriber.identity;
    if (!identity || !this.#roster.exit(channel, identity.user, subscriber)) return;
    this.#shared.tellChange(channel, identity.user);
  }

  /** When the first member comes: an application without pays for nothing. */
  #start(): void {
    if (this.#announced) return;
    const { cluster } = this;
    const announced = (this.#announced = new PresenceAnnounced(cluster));
    cluster.listen(ROSTERS, (message) => {
      const { asks } = message as Extract<RosterMessage, { asks: string }>;
      if (asks === ALL || asks === cluster.instance) this.#shared.tellAll();
    });
    cluster.lead('sse-presence', (signal) => {
      const announcer = new PresenceAnnouncer(
        cluster,
        announced,
        this,
        this.settings.limits.membersPerChannel,
      );
      signal.addEventListener('abort', () => {
        announcer.stop();
      });
      void announcer.start();
    });
    this.#telling = setInterval(() => {
      this.#shared.tellVersion();
      announced.tellVersion();
    }, LEASE_TIME / 2).unref();
  }

  /** What this instance knows of: those on it, and if it announces, those in their time of grace. */
  #here(channel: string): CountedStay[] {
    const here = this.#roster.in(channel);
    return this.#announced?.isKept ? [...here, ...this.#announcedIn(channel)] : here;
  }

  #announcedIn(channel: string): CountedStay[] {
    return [...(this.#announced?.in(channel) ?? [])].map((stay) => ({ ...stay, connections: 0 }));
  }

  #settingsOf(channel: string): PresenceSettings {
    return this.definitions.settingsOf(channel).presence;
  }
}
