import { channelsIn, idOf, NO_HISTORY } from '../channel-position.js';
import type { ConnectionState } from '../state.js';
import type { ChannelsReceiver, ChannelsTransport, Message, Receiver, Transport } from '../transport.js';
import { TabGroup, type Positions, type Tab, type Tell } from './tab-group.js';

/*
 * Why nothing is lost, and nothing comes twice.
 *
 * Each tab keeps, for each channel, its own position and that of the shared stream, which moves with each block that the leader
 * tells. A tab takes a block only if both were the same before it: then the block is what the server would have sent after the
 * tab's own position, because the leader's stream is what the server sends after its. So by induction a tab that takes blocks
 * has what it would have with a connection of its own. A tab that does not take a block is behind, or ahead of a leader who knew
 * less: it streams alone from its own position, which is again what the server sends after it, with gap or snapshot, until both
 * positions are the same.
 *
 * Positions name events (offset and mark), so the same position is the same event of the same log. Offsets are not compared: in
 * another log, which has taken the place of one that was lost, a greater one is not a later one. That the leader has changed, has
 * heard less, or is the wrong one makes tabs stream alone for a moment, and no more.
 */

/** The one part of a stream whose channels nobody names. */
const ALL = '';

/** The positions in channels; an empty one is of a channel whose stream has not begun. */
type Parts = readonly (readonly [channel: string, position: string])[];

/** The positions that an id names; the one of a stream of one channel has no name. */
const partsOf = (id = ''): Parts =>
  id === '' || id.includes('=')
    ? channelsIn(id).map(([name, position]) => [name, position || NO_HISTORY])
    : [['', id]];

const written = (parts: Parts): string => (parts[0]?.[0] === '' ? parts[0][1] : idOf(parts));

/** What a receiver has that names channels. */
type Namer = Partial<Pick<ChannelsReceiver, 'joined' | 'left' | 'refused'>>;

/** A transport that may be told that other channels are wanted. */
type Source = Transport<never> & Partial<Pick<ChannelsTransport, 'channelsChanged'>>;
/** Where something comes from: the stream of this tab alone, or else the leader. */
type From = 'alone';

/**
 * Blocks come from the leader of the tabs, or by a stream of this tab alone. Of one stream all channels fall behind together, as each
 * id says where it is in all of them. Channels that the receiver names fall behind one by one.
 */
export class TabsTransport implements ChannelsTransport, Tab {
  #receiver!: Receiver & Namer;
  /** The one part of a stream whose channels nobody names. Else each channel is a part. */
  #one: typeof ALL | undefined;
  /** Where this tab is. */
  #at: Positions = new Map();
  /** Where the shared stream is. */
  #shared: Positions = new Map();
  /** The channels that each tab wants. */
  #wantedBy = new Map<string, Positions>();
  /** The parts that this tab streams alone. */
  readonly #behind = new Set<string>();
  readonly #group: TabGroup;
  readonly #makePlain: () => Source;
  /** Streams them. */
  #alone: Source | undefined;
  /** Brings the shared stream, where this tab leads. */
  #source: Source | undefined;
  /** Of the shared stream. */
  #state: ConnectionState | undefined;
  /** What this tab wants is about to be said. */
  #saying: Promise<void> | undefined;

  /** @param name of lock and channel: tabs that have the same share the stream */
  constructor(name: string, makePlain: () => Source) {
    this.#makePlain = makePlain;
    this.#group = new TabGroup(name, this);
  }

  start(receiver: Receiver): void {
    this.#receiver = receiver;
    if (typeof receiver.position() === 'string') this.#one = ALL;
    this.channelsChanged();
    this.#group.start();
  }

  close(): void {
    this.#group.close();
  }

  channelsChanged(): void {
    const position = this.#receiver.position();
    const now: ReadonlyMap<string, string> =
      typeof position === 'string' ? new Map(partsOf(position)) : position;
    for (const channel of this.#at.keys()) {
      if (now.has(channel)) continue;
      this.#at.delete(channel);
      this.#behind.delete(channel);
      this.#receiver.left?.([channel]);
    }
    for (const [channel, position] of now) {
      if (this.#at.has(channel)) continue;
      this.#at.set(channel, position);
      if (this.#isLevelIn(channel)) this.joined([channel], {});
    }
    this.#settle();
    // What changes in one turn goes together.
    if (this.#saying) return;
    this.#saying = Promise.resolve().then(() => {
      this.#saying = undefined;
      this.#group.say();
    });
  }

  /** Where this tab is in a channel; undefined for one that it does not want. */
  #positionIn(channel: string): string | undefined {
    return this.#at.get(channel) ?? this.#one;
  }

  /** A position to go on from, for some channels where they are named. */
  #positionFor(channels: ReadonlySet<string>, where: Positions): string | Positions {
    if (this.#one === ALL) return written([...where]);
    return new Map([...channels].map((channel) => [channel, where.get(channel) ?? '']));
  }

  wanted(): Positions {
    return new Map(this.#one === ALL ? [] : this.#at);
  }

  // ---- What the leader tells

  led(shared: Positions, wantedBy: Map<string, Positions>, state?: ConnectionState): void {
    this.#shared = shared;
    this.#wantedBy = wantedBy;
    this.joined(
      [...shared.keys()].filter((channel) => this.#isLevelIn(channel)),
      {},
    );
    if (state && state.kind !== this.#state?.kind) this.moved(state);
  }

  moved(state: ConnectionState, from?: From): void {
    // There is nothing more, which the leader is told as well.
    if (from && state.kind === 'closed' && state.reason === 'completed') return this.left();
    if (!from) this.#state = state;
    // Events arrive when those of the stream of this tab alone do.
    if (from || !this.#alone) this.#receiver.moved(state);
  }

  wants(tab: string, channels?: Positions): void {
    this.#wantedBy.delete(tab);
    if (channels) this.#wantedBy.set(tab, channels);
    for (const [channel, position] of channels ?? []) {
      if (this.#shared.has(channel)) continue;
      this.#shared.set(channel, position);
      this.#isLevelIn(channel);
    }
    this.#source?.channelsChanged?.();
  }

  receive(message: Message, from?: From): void {
    const parts = partsOf(message.id);
    const before = from ? this.#at : this.#shared;
    const moved = parts.filter(([channel, position]) => before.get(channel) !== position);
    const next = (moved.length > 0 ? moved : parts).filter((part) => this.#isNext(part, from));
    if (parts.length === 0 && (from || !this.#behind.has(ALL))) this.#receiver.receive(message);
    // The leader may be ahead of this tab in one channel and not in another.
    const here: Parts = parts.map(([channel]) => [channel, this.#at.get(channel) ?? '']);
    // Channels that the stream has no more are in its ids no more.
    if (this.#one === ALL && parts.length > 0 && !from) this.#shared = new Map(parts);
    if (next.length > 0) {
      if (this.#one === ALL) this.#at = new Map(here);
      this.#receiver.receive({ ...message, id: written(here) });
    }
    for (const [channel] of next) this.#level(this.#one ?? channel);
  }

  joined(channels: readonly string[], positions: Readonly<Record<string, string>>, from?: From): void {
    const mine = channels.filter((channel) => this.#behind.has(channel) === Boolean(from));
    const begin = (where: Positions) => (channel: string) => {
      if (where.get(channel) === '') where.set(channel, positions[channel] || NO_HISTORY);
    };
    mine.forEach(begin(this.#at));
    if (!from) channels.forEach(begin(this.#shared));
    this.#receiver.joined?.(mine, positions);
    for (const channel of mine) this.#level(channel);
  }

  refused(...refused: Parameters<Tab['refused']>): void {
    this.#receiver.refused?.(...refused);
  }

  /** Whether this tab takes a block that moves a stream to a position. */
  #isNext([channel, position]: Parts[number], from?: From): boolean {
    const part = this.#one ?? channel;
    let isNext = this.#behind.has(part);
    if (!from) {
      const at = this.#positionIn(channel);
      const before = this.#shared.get(channel) ?? '';
      this.#shared.set(channel, position);
      this.#level(part);
      if (isNext || at === undefined) return false;
      // Nobody waits for a tab that has no room. It goes on by a stream of its own, at its own pace.
      const isFull = this.#receiver.room();
      isNext = at === before && !isFull;
      if (isFull || !(isNext || at === position)) this.#catchUp(part);
    }
    if (isNext) this.#at.set(channel, position);
    return isNext;
  }

  // ---- The stream of this tab alone

  /** The stream of this tab alone is for what is behind. */
  #settle(): void {
    if (this.#behind.size > 0) return this.#alone?.channelsChanged?.();
    if (!this.#alone) return;
    this.#alone.close();
    this.#alone = undefined;
    if (this.#state) this.moved(this.#state);
  }

  /** Whether this tab is where the shared stream is in a channel. If not it streams that alone. */
  #isLevelIn(channel: string): boolean {
    const at = this.#positionIn(channel);
    const shared = this.#shared.get(channel);
    if (at === undefined || !shared) return false;
    if (at === shared) return true;
    this.#catchUp(this.#one ?? channel);
    return false;
  }

  /** Ends the stream of this tab alone for a part, if it is where the shared one is. */
  #level(part: string): void {
    if (!this.#behind.has(part) || this.#receiver.room()) return;
    for (const channel of part === ALL ? this.#shared.keys() : [part])
      if (this.#at.get(channel) !== this.#shared.get(channel)) return;
    this.#behind.delete(part);
    this.#settle();
  }

  #catchUp(part: string): void {
    this.#behind.add(part);
    this.#settle();
    this.#alone ??= this.#begin(
      () => this.#positionFor(this.#behind, this.#at),
      (call, ...args) => (this[call] as (...all: unknown[]) => void)(...args, 'alone'),
      () => this.#receiver.room()?.then(() => this.#behind.forEach((part) => this.#level(part))),
    );
  }

  /** Begins a stream of this tab. */
  #begin(position: () => unknown, tell: Tell, room: Receiver['room'] = () => undefined): Source {
    const transport = this.#makePlain();
    const receiver = {
      position,
      room,
      moved: (state) => tell('moved', state),
      receive: (message) => tell('receive', message),
      joined: (...joined) => tell('joined', ...joined),
      refused: (...refused) => tell('refused', ...refused),
    } satisfies Omit<ChannelsReceiver, 'position' | 'left'> & { position: unknown };
    transport.start(receiver as never);
    return transport;
  }

  // ---- Its place in the group

  known(): Parameters<Tab['led']> {
    return [this.#shared, this.#wantedBy, this.#state];
  }

  lead(tell: Tell): Source {
    // Nobody has led before, as far as this tab knows.
    if (this.#shared.size === 0) this.#shared = new Map(this.#at);
    return (this.#source = this.#begin(() => this.#positionFor(this.#allWanted, this.#shared), tell));
  }

  left(): void {
    this.#behind.clear();
    this.#settle();
  }

  alone(): void {
    this.#behind.add(ALL);
    (this.#alone = this.#makePlain()).start(this.#receiver as never);
  }

  /** The channels that some tab wants. */
  get #allWanted(): ReadonlySet<string> {
    return new Set([...this.#wantedBy.values()].flatMap((channels) => [...channels.keys()]));
  }
}
