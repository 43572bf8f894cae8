import type { ChannelKind } from './schedule.js';

/** What is kept of each kind of channel. */
export const KEPT: Record<ChannelKind, { readonly count: number; readonly bytes: number }> = {
  wide: { count: Infinity, bytes: Infinity },
  tiny: { count: 3, bytes: Infinity },
  lean: { count: Infinity, bytes: 2_000 },
  brief: { count: Infinity, bytes: Infinity },
};

/** More than the fields of an event take beside its padding. */
const OVERHEAD = 300;

/** One event, numbered from 1 on in its channel. */
export interface Published {
  readonly number: number;
  readonly isHidden: boolean;
  readonly bytes: number;
  /** `unsure` until `publish()` has said more; that is also its last word where an answer did not come. */
  outcome: 'stored' | 'unsure' | 'rejected';
  id?: string;
  /** Whether the store was put back to before it. */
  isLost: boolean;
}

/** Everything that the publisher knows of one channel: what the oracle believes. */
export class ChannelRecord {
  readonly events: Published[] = [];
  readonly ids = new Map<string, number>();
  /** Ids that two events were given. */
  readonly doubleIds: string[] = [];
  isCompleted = false;
  #purgedUpTo = 0;
  #purging = 0;
  #savedUpTo = 0;

  constructor(
    readonly name: string,
    readonly kind: ChannelKind,
  ) {}

  /** The number of the newest event. */
  get newest(): number {
    return this.events.length;
  }

  begin(bytes: number, isHidden: boolean): Published {
    const number = this.newest + 1;
    const event: Published = { number, isHidden, bytes, outcome: 'unsure', isLost: false };
    this.events.push(event);
    return event;
  }

  stored(event: Published, id: string): void {
    event.outcome = 'stored';
    event.id = id;
    if (this.ids.has(id)) this.doubleIds.push(`${this.name}: ${id}`);
    this.ids.set(id, event.number);
  }

  async purge(purging: Promise<void>): Promise<void> {
    this.#purging++;
    try {
      await purging;
    } finally {
      this.#purging--;
      this.#purgedUpTo = this.newest;
    }
  }

  save(): void {
    this.#savedUpTo = this.newest;
  }

  rewind(): void {
    for (const event of this.events.slice(this.#savedUpTo)) event.isLost = true;
  }

  /** The newest event that a log may have let go of by now, by its limits or a purge. */
  get goneUpTo(): number {
    const { count, bytes } = KEPT[this.kind];
    // The newest event stays, however large it is.
    let gone = this.newest - 1;
    let sum = this.events.at(-1)?.bytes ?? 0;
    while (gone > 0 && this.newest - gone < count) {
      sum += this.events[gone - 1]!.bytes + OVERHEAD;
      if (sum > bytes) break;
      gone--;
    }
    return Math.max(gone, this.#purging > 0 ? this.newest : this.#purgedUpTo);
  }
}
