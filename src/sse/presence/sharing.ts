import type { SseCluster } from '../cluster/cluster.js';
import type { Stay } from './member.js';
import { Stays } from './stays.js';
import { partsOf } from '../cluster/scatter-gather.js';

/*
 * One instance keeps stays, and others have a copy of them. They are not in the backplane's store, which would be
 * written to for each member and each sign of life, and away when the members of this instance are not. Broadcasts
 * arrive at most once: each change has a number, the newest is told time and again, and who has missed one asks for
 * everything.
 */

/** Somebody in a channel. */
export type Entry = readonly [channel: string, stay: Stay];

/** What its keeper says. */
export type StaysNotice =
  /** The newest change is this one. */
  | { readonly version: number }
  | { readonly version: number; readonly channel: string; readonly user: string; readonly stay?: Stay }
  /** A part of everything, as it was after that change. */
  | {
      readonly version: number;
      readonly entries: readonly Entry[];
      readonly part: number;
      readonly parts: number;
    };

/** The stays that this instance keeps, for others to copy. */
export class SharedStays {
  #version = 0;

  constructor(
    private readonly cluster: SseCluster,
    private readonly topic: string,
    private readonly stays: () => Stays,
  ) {}

  tellChange(channel: string, user: string): void {
    const stay = this.stays().get(channel, user);
    this.#tell({ version: ++this.#version, channel, user, ...(stay && { stay }) });
  }

  tellVersion(): void {
    this.#tell({ version: this.#version });
  }

  tellAll(): void {
    const parts = partsOf(this.stays());
    for (const [part, entries] of parts.entries()) {
      this.#tell({ version: this.#version, entries, part, parts: parts.length });
    }
  }

  #tell(notice: StaysNotice): void {
    // Who does not hear it is told the version soon.
    this.cluster.broadcast(this.topic, notice).catch(() => undefined);
  }
}

/** A version that no keeper has. */
const NONE = -1;

/** A copy of what another instance keeps. */
export class CopiedStays {
  #stays = new Stays();
  #version = 0;
  /** What came of everything so far. */
  #draft = { stays: new Stays(), parts: 0 };
  #hasAsked = false;

  /**
   * @param changed is told of each who came or went
   * @param ask asks the keeper for everything
   */
  constructor(
    private readonly changed: (channel: string, user: string) => void,
    private readonly ask: () => void,
  ) {}

  get stays(): Stays {
    return this.#stays;
  }

  /** Another keeper goes on with them: what it says next is not what follows. */
  keptByAnother(): void {
    this.#version = NONE;
    this.#hasAsked = false;
  }

  hear(notice: StaysNotice): void {
    if ('entries' in notice) this.#hearPart(notice);
    else if ('channel' in notice && notice.version === this.#version + 1 && this.#version !== NONE)
      this.#hearChange(notice);
    else if (notice.version !== this.#version) this.#askUnlessAsked(!('channel' in notice));
  }

  #hearChange({ version, channel, user, stay }: Extract<StaysNotice, { channel: string }>): void {
    this.#version = version;
    if (stay) this.#stays.set(channel, stay);
    else this.#stays.delete(channel, user);
    this.changed(channel, user);
  }

  #hearPart({ version, entries, part, parts }: Extract<StaysNotice, { entries: unknown }>): void {
    if (part === 0) this.#draft = { stays: new Stays(), parts: 0 };
    const draft = this.#draft;
    if (part !== draft.parts) return; // one was missed
    draft.parts++;
    for (const [channel, stay] of entries) draft.stays.set(channel, stay);
    if (draft.parts < parts) return;
    const before = this.#stays;
    this.#stays = draft.stays;
    this.#draft = { stays: new Stays(), parts: 0 };
    this.#version = version;
    this.#hasAsked = false;
    for (const stays of [before, this.#stays])
      for (const [channel, { user }] of stays) this.changed(channel, user);
  }

  /** Once, until it is due to be repeated: the question may have been lost, or the answer. */
  #askUnlessAsked(isDue: boolean): void {
    if (this.#hasAsked && !isDue) return;
    this.#hasAsked = true;
    this.ask();
  }
}
