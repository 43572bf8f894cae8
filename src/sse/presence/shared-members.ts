import type { SseCluster } from '../cluster/cluster.js';
import { partsOf } from '../cluster/scatter-gather.js';
import type { Member, Members } from './member.js';
import { broadcast, type Entry, type ListMessage } from './messages.js';

/** A list of members that this instance keeps: it tells the others every change, for {@link MembersCopy}. */
export class SharedMembers {
  #version = 0;

  constructor(
    private readonly cluster: SseCluster,
    private readonly topic: string,
    private readonly members: Members,
  ) {}

  set(channel: string, member: Member): void {
    this.members.set(channel, member);
    this.#tell({ version: ++this.#version, channel, user: member.user, stay: member });
  }

  delete(channel: string, user: string): void {
    this.members.delete(channel, user);
    this.#tell({ version: ++this.#version, channel, user });
  }

  tellVersion(): void {
    this.#tell({ version: this.#version });
  }

  tellAll(): void {
    const parts = partsOf(this.members);
    for (const [part, entries] of parts.entries())
      this.#tell({ version: this.#version, entries, part, parts: parts.length });
  }

  #tell(message: ListMessage): void {
    broadcast(this.cluster, this.topic, message);
  }
}

/** Keeps members as another instance's {@link SharedMembers} has them. */
export class MembersCopy {
  /** When the keeper was heard last: `performance.now()`. */
  heardAt = 0;
  /**
   * The version of the copy: 0 at first, as that of a new list. `unknown`: another instance has begun to keep the list.
   * `asked`: the copy lacks a change, and the keeper was asked for the whole list.
   */
  #version: number | 'unknown' | 'asked' = 0;
  /** The parts of the whole list that have come so far. */
  #parts: (readonly Entry[])[] = [];

  /**
   * @param changed is called for each member who may have come or gone
   * @param ask asks the keeper for the whole list
   */
  constructor(
    readonly members: Members,
    private readonly changed: (channel: string, user: string) => void,
    private readonly ask: () => void,
  ) {}

  /** Another instance keeps the list from now on, with versions of its own. */
  expectAnotherKeeper(): void {
    this.#version = 'unknown';
  }

  hear(message: ListMessage): void {
    this.heardAt = performance.now();
    if ('entries' in message) this.#hearPart(message);
    else if ('channel' in message && message.version - 1 === this.#version) this.#hearChange(message);
    else if (message.version !== this.#version) this.#askForAll(message);
  }

  #hearChange({ version, channel, user, stay: member }: Extract<ListMessage, { channel: string }>): void {
    this.#version = version;
    if (member) this.members.set(channel, member);
    else this.members.delete(channel, user);
    this.changed(channel, user);
  }

  #hearPart({ version, entries, part, parts }: Extract<ListMessage, { part: number }>): void {
    if (part === 0) this.#parts = [];
    if (part !== this.#parts.length) return; // one was missed
    this.#parts.push(entries);
    if (this.#parts.length < parts) return;
    const before = [...this.members];
    this.members.clear();
    for (const [channel, member] of this.#parts.flat()) this.members.set(channel, member);
    this.#parts = [];
    this.#version = version;
    for (const [channel, { user }] of [...before, ...this.members]) this.changed(channel, user);
  }

  /** Asks for the whole list, and again at each heartbeat, as the question or the answer may be lost. */
  #askForAll(message: ListMessage): void {
    if ('channel' in message && this.#version === 'asked') return;
    this.#version = 'asked';
    this.ask();
  }
}
