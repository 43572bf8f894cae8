import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { SseError } from '../sse.errors.js';
import { LEASE_TIME, type SseCluster } from '../cluster/cluster.js';
import { keyOf, type PresenceAnnounced, type Saying } from './announced.js';
import type { Stay } from './member.js';
import { CopiedStays, type Entry, type StaysNotice } from './sharing.js';
import { ANSWER_TIME } from '../cluster/scatter-gather.js';

/** What instances say about who is on them; one is asked by its name. */
export type RosterMessage = StaysNotice | { readonly asks: string };

/** Asks every instance. */
export const ALL = 'all';

/** Where they say it. */
export const ROSTERS = 'sse-presence';

/** Milliseconds between two looks at which instances are there. */
const LOOK = 1_000;

/** Milliseconds after which a publication that has failed is tried again. */
const RETRY = 1_000;

/** Failures that pass. */
const PASSING: ReadonlySet<string> = new Set([
  'PUBLISH_REJECTED',
  'PUBLISH_UNCERTAIN',
  'BACKPLANE_AWAY',
  'HUB_FULL',
]);

/** No failures at all: nobody is left to be told. */
const OVER: ReadonlySet<string> = new Set(['CHANNEL_COMPLETED', 'HUB_CLOSED']);

/** How changes get to the channel. */
export interface PresenceChannels {
  /** Whether changes are published there. */
  hasEvents(channel: string): boolean;
  publish(saying: Saying): Promise<unknown>;
  /** What was announced, as each of the other instances has it that knows. */
  remembered(): Promise<Entry[][]>;
  /** Milliseconds for which somebody may be away. */
  graceOf(channel: string): number;
}

interface KnownInstance {
  readonly copy: CopiedStays;
  heardAt: number;
}

/**
 * What one instance does for all while it leads: it knows who is on which, and announces who comes and who
 * goes. What is announced follows what is there, one publication at a time for each member.
 */
export class PresenceAnnouncer {
  readonly #instances = new Map<string, KnownInstance>();
  /** By channel and user: who is about to leave, or to be tried again. */
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #publishing = new Set<string>();
  readonly #ends: (() => void)[] = [];
  readonly #logger = new Logger('SseHub');
  #isOver = false;

  /** @param limit members of one channel */
  constructor(
    private readonly cluster: SseCluster,
    private readonly announced: PresenceAnnounced,
    private readonly channels: PresenceChannels,
    private readonly limit: number,
  ) {}

  /** Never rejects. */
  async start(): Promise<void> {
    // One that has only just begun to listen, or was cut off, would announce everybody again, and forget who has gone.
    const copies = await this.channels.remembered();
    if (this.#isOver) return;
    const isOrphaned = this.announced.keep(copies);
    this.announced.heardSaying = (saying) => void this.#settle(saying);
    for (const saying of this.announced.sayings) void this.#settle(saying);
    this.#ends.push(
      () => {
        this.announced.heardSaying = () => undefined;
      },
      this.cluster.listen(ROSTERS, (message, from) => {
        if (!('asks' in (message as RosterMessage))) this.#hear(message as StaysNotice, from);
      }),
    );
    this.#ask(ALL);
    // The others need a moment to say who is there.
    for (const [channel, { user }] of this.announced.stays) {
      const grace = this.channels.graceOf(channel);
      this.#look(channel, user, Math.max(isOrphaned ? grace - LEASE_TIME : grace, ANSWER_TIME));
    }
    const looking = setInterval(() => void this.#lookAtInstances(), LOOK).unref();
    this.#ends.push(() => {
      clearInterval(looking);
    });
  }

  stop(): void {
    this.#isOver = true;
    for (const end of this.#ends) end();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.announced.release();
  }

  #hear(notice: StaysNotice, from: string): void {
    const known = this.#instances.get(from) ?? this.#met(from);
    known.heardAt = performance.now();
    known.copy.hear(notice);
  }

  #met(instance: string): KnownInstance {
    const copy = new CopiedStays(
      (channel, user) => {
        this.#look(channel, user);
      },
      () => {
        this.#ask(instance);
      },
    );
    const known = { copy, heardAt: 0 };
    this.#instances.set(instance, known);
    return known;
  }

  #ask(asks: string): void {
    this.cluster.broadcast(ROSTERS, { asks } satisfies RosterMessage).catch(() => undefined);
  }

  /**
   * Makes a publication again of which it is not known whether it is in the log, so that it is, and cannot come
   * later. What is right is announced after it.
   */
  async #settle(saying: Saying): Promise<void> {
    const { channel, stay } = saying;
    const key = keyOf(channel, stay.user);
    if (this.#publishing.has(key)) {
      this.#later(key, RETRY, () => void this.#settle(saying));
      return;
    }
    this.#cancel(key);
    if (!(await this.#isPublished(saying))) {
      if (!this.#isOver) this.#later(key, RETRY, () => void this.#settle(saying));
      return;
    }
    this.announced.said(saying);
    this.announced.doubt(channel, stay);
    this.#look(channel, stay.user);
  }

  /** @returns whether it is known what has come of it, and this instance still announces */
  async #isPublished(saying: Saying): Promise<boolean> {
    const { type, channel, stay } = saying;
    const key = keyOf(channel, stay.user);
    this.#publishing.add(key);
    const isDone = await this.channels.publish(saying).then(
      () => true,
      (error: unknown) => this.#isFinal(error, type, channel),
    );
    this.#publishing.delete(key);
    return isDone && !this.#isOver;
  }

  /** Compares what was announced of somebody with what is there. */
  #look(channel: string, user: string, grace = this.channels.graceOf(channel)): void {
    const key = keyOf(channel, user);
    if (this.#publishing.has(key)) return; // and then it is looked at again
    const stay = this.#stayOf(channel, user);
    const announced = this.announced.stays.get(channel, user);
    if (stay) {
      this.#cancel(key);
      if (announced) this.announced.stay(announced);
      const isDue = announced
        ? this.announced.isDoubtful(channel, user)
        : this.announced.stays.countIn(channel) < this.limit;
      if (isDue) void this.#announce('join', channel, stay);
    } else if (announced && !this.#timers.has(key)) {
      this.#later(key, grace, () => void this.#announce('leave', channel, announced));
    }
  }

  async #announce(type: 'join' | 'leave', channel: string, stay: Stay): Promise<void> {
    const key = keyOf(channel, stay.user);
    const unsettled = this.announced.sayingOf(channel, stay.user);
    // One that may be in the log is not left behind: what is said now must come after it.
    if (unsettled && unsettled.type !== type) return this.#settle(unsettled);
    const saying = unsettled ?? { id: randomUUID(), type, channel, stay };
    if (this.channels.hasEvents(channel)) this.announced.say(saying);
    if (type === 'leave') this.announced.leave(stay);
    const isPublished = await this.#isPublished(saying);
    // Whoever leads now makes it again.
    if (this.#isOver) return;
    const look = (): void => {
      this.#look(channel, stay.user);
    };
    if (!isPublished) return this.#later(key, RETRY, look);
    this.announced.said(saying);
    if (type === 'join') this.announced.add(channel, stay);
    else this.announced.delete(channel, stay.user);
    look();
  }

  #isFinal(error: unknown, type: string, channel: string): boolean {
    const code = error instanceof SseError ? error.code : '';
    if (!OVER.has(code)) this.#logger.warn(`A ${type} of the channel "${channel}": ${String(error)}`);
    return !PASSING.has(code);
  }

  /** The oldest of somebody's stays, on any instance. */
  #stayOf(channel: string, user: string): Stay | undefined {
    let oldest: Stay | undefined;
    for (const { copy } of this.#instances.values()) {
      const stay = copy.stays.get(channel, user);
      if (stay && (!oldest || stay.since < oldest.since)) oldest = stay;
    }
    return oldest;
  }

  /** Who was on an instance that has ended without saying so, has been away for the time of its lease. */
  async #lookAtInstances(): Promise<void> {
    const quietSince = performance.now() - (LEASE_TIME - LOOK);
    const quiet = [...this.#instances].filter(([, { heardAt }]) => heardAt < quietSince);
    if (quiet.length === 0) return;
    const there = await this.cluster.instances().catch(() => undefined);
    if (!there || this.#isOver) return;
    for (const [instance, { copy, heardAt }] of quiet) {
      if (there.includes(instance) || heardAt >= quietSince) continue;
      this.#instances.delete(instance);
      for (const [channel, { user }] of copy.stays)
        this.#look(channel, user, Math.max(0, this.channels.graceOf(channel) - LEASE_TIME));
    }
  }

  #later(key: string, time: number, task: () => void): void {
    this.#cancel(key);
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      task();
    }, time);
    this.#timers.set(key, timer.unref());
  }

  #cancel(key: string): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
  }
}
