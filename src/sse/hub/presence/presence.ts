import { createHash } from 'node:crypto';
import { SseError } from '../../sse.errors.js';
import type { PresenceSettings, SseSettings } from '../../sse.settings.js';
import type { SseBackplane } from '../backplane.js';
import type { ChannelDefinitions } from '../definitions/channel-definitions.js';
import { LEASE_TIME, type SseCluster } from '../instances/cluster.js';
import { PresenceAnnounced } from './announced.js';
import { ALL, PresenceAnnouncer, ROSTERS, type PresenceChannels, type RosterMessage } from './announcer.js';
import { membersOf, type CountedStay, type PresenceEvent, type PresenceMember, type Stay } from './member.js';
import { PresenceRoster } from './roster.js';
import { SharedStays, type Entry } from './sharing.js';
import { storedEvent } from '../stored-event.js';
import type { Subscription, Subscriptions } from '../instances/subscriptions.js';
import { Survey } from '../instances/survey.js';

/** What one instance asks of the others. */
type Question = { readonly about: 'members'; readonly channel: string } | { readonly about: 'announced' };

/** Who is in the channels that have presence, on all instances. */
export class Presence implements PresenceChannels {
  readonly #roster: PresenceRoster;
  readonly #shared: SharedStays;
  readonly #survey: Survey<Question>;
  #announced: PresenceAnnounced | undefined;
  #telling: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(
    private readonly settings: SseSettings,
    private readonly definitions: ChannelDefinitions,
    private readonly backplane: SseBackplane,
    private readonly cluster: SseCluster,
    subscriptions: Subscriptions,
  ) {
    this.#roster = new PresenceRoster(settings.limits.membersPerChannel);
    this.#shared = new SharedStays(cluster, ROSTERS, () => this.#roster.stays);
    this.#survey = new Survey(cluster, (question) => this.#answer(question), 'sse-presence-questions');
    subscriptions.begun.subscribe((begun) => {
      this.#begun(begun);
    });
    subscriptions.ended.subscribe((ended) => {
      this.#ended(ended);
    });
  }

  /** @throws SseError `INVALID_OPTIONS` for a channel without presence; `BACKPLANE_AWAY`, `HUB_CLOSED` */
  async members(channel: string): Promise<PresenceMember[]> {
    if (!this.#settingsOf(channel)) {
      throw new SseError(
        'INVALID_OPTIONS',
        `The channel "${channel}" has no presence. Define it with presence: true, and give the definition to SseModule.forFeature().`,
      );
    }
    const answers = await this.#survey.ask({ about: 'members', channel });
    const elsewhere = answers.flatMap(({ items }) => items as CountedStay[]);
    return membersOf([...this.#here(channel), ...elsewhere]).slice(0, this.settings.limits.membersPerChannel);
  }

  async publish(type: 'join' | 'leave', channel: string, stay: Stay): Promise<void> {
    if (!this.#settingsOf(channel)?.events) return;
    const { user, info } = stay;
    const data: PresenceEvent = { user, ...(info !== undefined && { info }) };
    const event = storedEvent({ type, data }, false, this.settings.maxEventBytes);
    // Whoever announces this stay, after a failure or a change of hands, it is one publication.
    const publishId = `${type}-${stay.since}-${createHash('sha256').update(user).digest('base64url')}`;
    await this.backplane.append(channel, this.definitions.settingsOf(channel), event, publishId);
  }

  async remembered(): Promise<Entry[]> {
    const answers = await this.#survey.ask({ about: 'announced' }).catch(() => []);
    return answers.flatMap(({ items }) => items as Entry[]);
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

  #begun({ channel, subscriber }: Subscription): void {
    const identity = subscriber.access?.identity;
    if (!identity || this.#isClosed || !this.#settingsOf(channel)) return;
    if (!this.#roster.enter(channel, identity, subscriber)) return;
    this.#start();
    this.#shared.tellChange(channel, identity.user);
  }

  #ended({ channel, subscriber }: Subscription): void {
    const identity = subscriber.access?.identity;
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

  #answer(question: Question): readonly unknown[] {
    return question.about === 'members' ? this.#here(question.channel) : [...(this.#announced?.stays ?? [])];
  }

  /** What this instance knows of: those on it, and if it announces, those in their time of grace. */
  #here(channel: string): CountedStay[] {
    const here = this.#roster.in(channel);
    if (!this.#announced?.isKept) return here;
    const announced = [...this.#announced.in(channel)].map((stay) => ({ ...stay, connections: 0 }));
    return [...here, ...announced];
  }

  #settingsOf(channel: string): PresenceSettings {
    return this.definitions.settingsOf(channel).presence;
  }
}
