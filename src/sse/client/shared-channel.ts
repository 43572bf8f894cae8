import type { ChannelState } from './channel.js';
import { offsetOf } from './channel-position.js';
import { LiveValue } from './live.js';
import type { Gap } from '../log/sse-event.js';
import type { ChannelMember, Received } from './received.js';

/** Somebody who wants a channel. */
export interface ChannelReader {
  moved(state: ChannelState): void;
  receive(received: Received): void;
  /** Nothing comes any more. */
  ended(how: 'stopped' | 'drained'): void;
  /** Resolves when it can take more; undefined if it can now. */
  roomIn(): Promise<void> | undefined;
}

/** How far a reader is. */
type Progress =
  /** With the shared stream. */
  | { readonly kind: 'live' }
  /** Behind it, with a stream of its own, which began after `from` and has come to `position`; undefined before it says so. */
  | {
      readonly kind: 'behind';
      readonly from: string;
      readonly position?: string;
      readonly stop: () => void;
    }
  /** Before it: its own stream was faster. It has all up to this position. */
  | { readonly kind: 'ahead'; readonly position: string };

const LIVE: Progress = { kind: 'live' };

/** What comes for a channel, with the position after it, if that moves. */
export type Tell = (received: Received, position: string | undefined) => void;

/**
 * A channel of a client, for all that want it. They come at different times, while the stream of the client has each event
 * once: somebody who comes later begins with a stream of its own, which ends when it has what the shared one has.
 */
export class SharedChannel {
  readonly members = new LiveValue<readonly ChannelMember[]>([]);
  #state: ChannelState = { kind: 'joining' };
  /** Who has come (as a member) or gone since the stream began, until the list of members is there. */
  #changed: Map<string, ChannelMember | undefined> | undefined = new Map();
  readonly #readers = new Map<ChannelReader, Progress>();

  /**
   * @param position where it has come to; empty for none
   * @param streamAlone streams the channel by itself, from a position
   */
  constructor(
    public position: string,
    private readonly streamAlone: (from: string, tell: Tell, ended: () => void) => () => void,
  ) {}

  get isWanted(): boolean {
    return this.#readers.size > 0;
  }

  /** The position up to which a reader has got everything. */
  positionOf(reader: ChannelReader): string {
    const progress = this.#readers.get(reader) ?? LIVE;
    if (progress.kind === 'live') return this.position;
    return progress.kind === 'ahead' ? progress.position : (progress.position ?? progress.from);
  }

  add(reader: ChannelReader, from: string): void {
    const isLate = from !== this.position;
    this.#readers.set(reader, LIVE);
    if (isLate) this.#catchUp(reader, from);
    reader.moved(this.#state);
  }

  delete(reader: ChannelReader): void {
    this.#set(reader, LIVE);
    this.#readers.delete(reader);
  }

  moved(state: ChannelState): void {
    if (this.#state.kind === state.kind) return;
    this.#state = state;
    for (const reader of [...this.#readers.keys()]) reader.moved(state);
  }

  /** It is streamed no more, until somebody wants it again. */
  left(): void {
    this.moved({ kind: 'joining' });
    this.began();
  }

  /** The stream has begun anew: a new list of members is on its way. */
  began(): void {
    this.#changed = new Map();
  }

  /** It is streamed, from this position at the latest: events that have come since may have moved it. */
  joined(position: string): void {
    this.movedTo(this.position || position);
  }

  /** Something has come by the shared stream; undefined for its position alone. */
  receive(received: Received | undefined, position: string | undefined): void {
    const type = received?.kind === 'news' ? received.news.type : undefined;
    const isBack =
      offsetOf(position ?? '') <= offsetOf(this.position) && type !== 'gap' && type !== 'snapshot';
    // It was on its way when the channel was left, and comes again since it was joined anew.
    if (isBack && received?.kind === 'event') return;
    if (position !== undefined) this.movedTo(isBack ? this.position : position);
    if (received) this.#handOn(received);
  }

  movedTo(position: string): void {
    this.position = position;
    this.moved({ kind: 'joined' });
    for (const reader of this.#readers.keys()) this.#settle(reader);
  }

  #handOn(received: Received): void {
    this.#keepMembers(received);
    for (const reader of [...this.#readers.keys()]) {
      const progress = this.#readers.get(reader);
      // A listener of another one may have closed it.
      if (!progress || progress.kind === 'behind') continue;
      if (progress.kind === 'ahead' && !this.#isAfter(progress.position, received)) continue;
      this.#set(reader, LIVE);
      reader.receive(received);
    }
  }

  roomIn(): Promise<void> | undefined {
    for (const reader of this.#readers.keys()) {
      const room = reader.roomIn();
      if (room) return room;
    }
    return undefined;
  }

  /** Nobody gets anything any more. */
  close(how: 'stopped' | 'drained'): void {
    for (const reader of [...this.#readers.keys()]) {
      this.#set(reader, LIVE);
      reader.ended(how);
    }
  }

  /** Whether something comes after a position. After a snapshot, and a gap that tells of another log, offsets may begin anew. */
  #isAfter(position: string, received: Received): boolean {
    const { type, data } = received.kind === 'news' ? received.news : { type: 'event', data: undefined };
    if (type === 'snapshot') return true;
    if (type === 'gap' && !['evicted', 'lagged'].includes((data as Gap).reason)) return true;
    if (type !== 'gap' && type !== 'event') return false;
    return !(offsetOf(this.position) <= offsetOf(position));
  }

  #catchUp(reader: ChannelReader, from: string): void {
    const stop = this.streamAlone(
      from,
      (received, position) => {
        const progress = this.#readers.get(reader);
        if (progress?.kind !== 'behind') return;
        if (received.kind === 'news' && received.news.type === 'denied')
          return this.#lose(reader, { kind: 'denied', reason: received.news.data.reason });
        reader.receive(received);
        // A listener may have closed it.
        if (position === undefined || this.#readers.get(reader) !== progress) return;
        this.#readers.set(reader, { ...progress, position });
        this.#settle(reader);
      },
      () => {
        // What came before would be missing without a word.
        if (this.#readers.get(reader)?.kind === 'behind')
          this.#lose(reader, { kind: 'refused', message: 'The server has refused a second stream.' });
      },
    );
    this.#readers.set(reader, { kind: 'behind', from, stop });
  }

  #lose(reader: ChannelReader, state: ChannelState): void {
    // It says where it was.
    reader.moved(state);
    this.delete(reader);
    reader.ended('drained');
  }

  /** A reader that has all that the shared stream has goes on with that. */
  #settle(reader: ChannelReader): void {
    const progress = this.#readers.get(reader);
    if (progress?.kind !== 'behind' || this.#state.kind !== 'joined') return;
    const { position } = progress;
    // Offsets of different logs cannot be compared: its own stream says first which log it is.
    if (position !== undefined && offsetOf(position) >= offsetOf(this.position))
      this.#set(reader, { kind: 'ahead', position });
  }

  #set(reader: ChannelReader, progress: Progress): void {
    const before = this.#readers.get(reader);
    this.#readers.set(reader, progress);
    if (before?.kind === 'behind') before.stop();
  }

  #keepMembers(received: Received): void {
    if (received.kind === 'news') {
      const { type, data } = received.news;
      if (type === 'gap') this.#changed = new Map();
      else if (type === 'members') this.#listed(data.members);
      return;
    }
    const { type } = received.event;
    if (type !== 'join' && type !== 'leave') return;
    const member = received.event.data as ChannelMember | null;
    const user = member?.user;
    // The application's own event of that name, in a channel without presence.
    if (!member || typeof user !== 'string') return;
    const after = type === 'join' ? member : undefined;
    this.#changed?.set(user, after);
    this.members.set(changed(this.members.value, user, after));
  }

  /** The list has come. It may be older than events that came before it, while it was on its way. */
  #listed(members: readonly ChannelMember[]): void {
    let list = members;
    for (const [user, after] of this.#changed ?? [])
      if (!after || !members.some((member) => member.user === user)) list = changed(list, user, after);
    this.#changed = undefined;
    this.members.set(list);
  }
}

/** A list in which a user is as given, or is not. Somebody who is listed keeps the place. */
function changed(
  members: readonly ChannelMember[],
  user: string,
  after: ChannelMember | undefined,
): readonly ChannelMember[] {
  const others = members.filter((member) => member.user !== user);
  if (!after) return others;
  if (others.length === members.length) return [...members, after];
  return members.map((member) => (member.user === user ? { ...member, ...after } : member));
}
