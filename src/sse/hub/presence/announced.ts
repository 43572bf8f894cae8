import type { SseCluster } from '../instances/cluster.js';
import type { Stay } from './member.js';
import { CopiedStays, SharedStays, type Entry, type StaysNotice } from './sharing.js';
import type { Stays } from './stays.js';

const TOPIC = 'sse-presence-announced';

type Message = StaysNotice | { readonly asks: true } | { readonly leaves: true };

/**
 * Whose coming was announced, and whose going was not yet. The instance that announces keeps it; the others
 * have a copy, so that the next one goes on where it was.
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
  #keeper: string | undefined;
  #isOrphaned = false;

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

  /** Whether this instance keeps it. */
  get isKept(): boolean {
    return this.#keeper === this.cluster.instance;
  }

  /** Those in their time of grace, or with connections, in a channel. Who is told to have left is none of them. */
  *in(channel: string): Iterable<Stay> {
    for (const stay of this.stays.in(channel)) if (!this.#leaving.has(stay)) yield stay;
  }

  /**
   * Keeps it from now on.
   *
   * @param remembered what others know of it, where this instance does not
   * @returns whether the one before ended without a goodbye
   */
  keep(remembered: Iterable<Entry>): boolean {
    const isOrphaned = this.#keeper !== undefined && !this.isKept && this.#isOrphaned;
    this.#keeper = this.cluster.instance;
    for (const [channel, stay] of remembered)
      if (!this.stays.get(channel, stay.user)) this.stays.set(channel, stay);
    this.#shared.tellAll();
    return isOrphaned;
  }

  /** Another may keep it. */
  release(): void {
    if (this.isKept) this.#keeper = undefined;
    this.#copy.keptByAnother();
  }

  add(channel: string, stay: Stay): void {
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
    this.stays.delete(channel, user);
    this.#shared.tellChange(channel, user);
  }

  tellVersion(): void {
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
    } else if (!this.isKept) {
      if (this.#keeper !== from) this.#copy.keptByAnother();
      this.#keeper = from;
      this.#isOrphaned = true;
      this.#copy.hear(message);
    }
  }

  #tell(message: Message): void {
    this.cluster.broadcast(TOPIC, message).catch(() => undefined);
  }
}
