import { LEASE_TIME, type SseCluster } from '../cluster/cluster.js';
import type { Stay } from './member.js';
import { CopiedStays, SharedStays, type Entry, type StaysNotice } from './sharing.js';
import type { Stays } from './stays.js';

const TOPIC = 'sse-presence-announced';

/** A publication that is about to be made: whoever makes it, and makes it again, it is stored once. */
export interface Saying {
  /** Its publish id. */
  readonly id: string;
  readonly type: 'join' | 'leave';
  readonly channel: string;
  readonly stay: Stay;
}

type Message = StaysNotice | { readonly asks: true } | { readonly leaves: true } | { readonly says: Saying };

/** Milliseconds for which the others may not have heard what this instance has said before it was cut off. */
const UNHEARD = 2 * LEASE_TIME;

/**
 * Whose coming was announced, and whose going was not yet. The instance that announces keeps it; the others
 * have a copy, so that the next one goes on where it was.
 *
 * What is announced is said to the others first. So who keeps it next can make a publication again of which it
 * is not known whether it is in the channel's log, and what was on its way when its sender was cut off cannot
 * come after what is announced then.
 */
export class PresenceAnnounced {
  readonly #copy = new CopiedStays(
    () => undefined,
    () => {
      this.#tell({ asks: true });
    },
  );
  readonly #shared: SharedStays;
  /** Whose going is being announced. */
  readonly #leaving = new WeakSet<Stay>();
  /** What was said and is not known to be in the log, by channel and user. */
  readonly #sayings = new Map<string, Saying>();
  /** What this instance has said lately, with when: `performance.now()`. */
  #lately: { readonly saying: Saying; readonly at: number }[] = [];
  readonly #doubtful = new Set<string>();
  #keeper: string | undefined;
  #isOrphaned = false;

  /** Is told what another instance says that kept it before. */
  heardSaying: (saying: Saying) => void = () => undefined;

  constructor(private readonly cluster: SseCluster) {
    this.#shared = new SharedStays(cluster, TOPIC, () => this.stays);
    cluster.listen(TOPIC, (message, from) => {
      if (from !== cluster.instance) this.#hear(message as Message, from);
    });
    this.#tell({ asks: true });
  }

  get stays(): Stays {
    return this.#copy.stays;
  }

  /** Whether somebody has said what was announced, so that it is here. */
  get isKnown(): boolean {
    return this.#keeper !== undefined;
  }

  /** Publications of which it is not known whether they are in the log. */
  get sayings(): Iterable<Saying> {
    return [...this.#sayings.values()];
  }

  sayingOf(channel: string, user: string): Saying | undefined {
    return this.#sayings.get(keyOf(channel, user));
  }

  /** Says what is about to be published. */
  say(saying: Saying): void {
    this.#sayings.set(keyOf(saying.channel, saying.stay.user), saying);
    this.#lately.push({ saying, at: performance.now() });
    this.#forgetOld();
    this.#tell({ says: saying });
  }

  /** It is known to be in the log, or that it never will be. */
  said({ channel, stay }: Saying): void {
    this.#sayings.delete(keyOf(channel, stay.user));
  }

  /** Whether this instance keeps it. */
  get isKept(): boolean {
    return this.#keeper === this.cluster.instance;
  }

  /** Those in their time of grace, or with connections, in a channel. Who is told to have left is none of them. */
  *in(channel: string): Iterable<Stay> {
    for (const stay of this.stays.in(channel)) if (!this.#leaving.has(stay)) yield stay;
  }

  /**
   * Keeps it from now on. Of whom some have heard and others have not, it is doubtful whether their coming is the
   * last thing that was announced of them.
   *
   * @param copies what each of those others has that know of it
   * @returns whether the one before ended without a goodbye
   */
  keep(copies: readonly (readonly Entry[])[]): boolean {
    const isOrphaned = this.#keeper !== undefined && !this.isKept && this.#isOrphaned;
    const all = this.isKnown ? [[...this.stays], ...copies] : copies;
    const counts = new Map<string, number>();
    for (const [channel, stay] of all.flat()) {
      const key = keyOf(channel, stay.user);
      counts.set(key, (counts.get(key) ?? 0) + 1);
      if (!this.stays.get(channel, stay.user)) this.stays.set(channel, stay);
    }
    for (const [key, count] of counts) if (count < all.length) this.#doubtful.add(key);
    this.#keeper = this.cluster.instance;
    this.#shared.tellAll();
    return isOrphaned;
  }

  /** Another may keep it. */
  release(): void {
    if (this.isKept) this.#keeper = undefined;
    this.#forgetOld();
    this.#doubtful.clear();
    this.#copy.keptByAnother();
  }

  /** Whether it is not known what was announced last. */
  isDoubtful(channel: string, user: string): boolean {
    return this.#doubtful.has(keyOf(channel, user));
  }

  /** It is not known whether their coming is the last thing that was announced of them. */
  doubt(channel: string, stay: Stay): void {
    this.add(channel, stay);
    this.#doubtful.add(keyOf(channel, stay.user));
  }

  add(channel: string, stay: Stay): void {
    this.#doubtful.delete(keyOf(channel, stay.user));
    this.stays.set(channel, stay);
    this.#shared.tellChange(channel, stay.user);
  }

  /** Their going is about to be in the log: who reads that first must not find them here afterwards. */
  leave(stay: Stay): void {
    this.#leaving.add(stay);
  }

  /** They are back before their going was announced. */
  stay(stay: Stay): void {
    this.#leaving.delete(stay);
  }

  delete(channel: string, user: string): void {
    this.#doubtful.delete(keyOf(channel, user));
    this.stays.delete(channel, user);
    this.#shared.tellChange(channel, user);
  }

  /** What is done now and then. */
  tellVersion(): void {
    this.#forgetOld();
    if (this.isKept) this.#shared.tellVersion();
  }

  /** Says goodbye. */
  close(): void {
    if (this.isKept) this.#tell({ leaves: true });
  }

  #hear(message: Message, from: string): void {
    if ('asks' in message) {
      if (this.isKept) this.#shared.tellAll();
    } else if ('leaves' in message) {
      if (this.#keeper === from) this.#isOrphaned = false;
    } else if ('says' in message) {
      if (this.isKept) this.heardSaying(message.says);
      else this.#sayings.set(keyOf(message.says.channel, message.says.stay.user), message.says);
    } else if (!this.isKept) {
      // What it has heard of is in the log by now.
      if ('channel' in message) this.#sayings.delete(keyOf(message.channel, message.user));
      if (this.#keeper !== from) {
        this.#copy.keptByAnother();
        this.#sayAgain();
      }
      this.#keeper = from;
      this.#isOrphaned = true;
      this.#copy.hear(message);
    }
  }

  /** Another keeps it, and may not have heard what this one said when it was cut off. */
  #sayAgain(): void {
    const unheard = this.#lately;
    this.#lately = [];
    for (const { saying } of unheard) this.#tell({ says: saying });
  }

  #forgetOld(): void {
    const since = performance.now() - UNHEARD;
    while (this.#lately[0] && this.#lately[0].at < since) this.#lately.shift();
  }

  #tell(message: Message): void {
    this.cluster.broadcast(TOPIC, message).catch(() => undefined);
  }
}

/** A channel's name has no line break. */
export const keyOf = (channel: string, user: string): string => `${channel}\n${user}`;
