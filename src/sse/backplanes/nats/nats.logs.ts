import { setTimeout as delay } from 'node:timers/promises';
import { hubClosed } from '../../sse.errors.js';
import { WINDOW, type LogRange, type RangeQuery } from '../../log/backplane.js';
import { EventLog } from '../../log/event-log.js';
import { rangeOf } from '../../log/log-range.js';
import type { Position } from '../../protocol/position.js';
import type { HistoryOptions } from '../../sse.options.js';
import type { ChannelSettings } from '../../sse.settings.js';
import type {
  Appended,
  Connection,
  Notice,
  Publication,
  RemoteLogs,
  RemoteRange,
} from '../common/remote-logs.js';
import { NotNow } from '../common/remote-calls.js';
import { ConcurrencyLimit, giveUpAfter } from '../common/tasks.js';
import { Anchors } from './anchors.js';
import { limited, readLog, type KeptLog } from './channel-log.js';
import type { JetStreamConnection } from './connection.js';
import { callFailure, isNoAnswer, isNotTaken, noReply, noStream } from './errors.js';
import { channelOf, decodeMessage, sequenceOf, tokenOf } from './layout.js';
import { NatsChannel, type ChannelHost } from './nats-channel.js';
import { NatsStore } from './nats-store.js';
import type { NatsSettings } from './nats.options.js';

/** Channels that are remembered although nothing happens on them, and those whose heads are not recorded yet. */
const MAX_IDLE = 10_000;
const MAX_ACTIVE = 100_000;
/** Logs that are read at the same time, and heads that are recorded. */
const READS = 50;
const RESTS = 20;
/** Milliseconds between two attempts to find the streams after a reconnect, and for one: its leader may be gone. */
const RETRY = 250;
const LOOK = 2_000;
/** Milliseconds between two comparisons of a local copy with the server. */
const REST = 30_000;

/** A log as it was read, and the position of an absent one. */
interface Found extends KeptLog {
  readonly absent: Position | undefined;
}

/**
 * The logs of all channels in JetStream. `index.ts` says how they lie there.
 *
 *           connection lost                     reconnect, leader elected, stream is another, nobody answers
 *   there ──────────────────▶ away        there, away ──────────▶ looking ──────────▶ there        any ──▶ closed
 *                                                                 the streams are there, and their leaders know all
 *
 * Only `there` calls are made, as `watch()` says. A leader that was elected a moment ago may answer before it knows
 * all that was acknowledged; so an answer that misses something is believed only after the leader has proved that it
 * does: see {@link NatsStore.catchUp}.
 */
export class NatsLogs implements RemoteLogs {
  readonly server = 'NATS';
  readonly #store: NatsStore;
  readonly #anchors: Anchors;
  readonly #host: ChannelHost;
  readonly #reads = new ConcurrencyLimit(READS);
  readonly #rests = new ConcurrencyLimit(RESTS);
  /** The one that was used longest ago comes first. */
  readonly #channels = new Map<string, NatsChannel>();
  readonly #subscriptions = new Map<string, () => void>();
  #changed: ((connection: Connection) => void) | undefined;
  #phase: 'away' | 'looking' | 'there' | 'closed' = 'there';
  /** Resolve the waits for the streams. */
  #waiting: (() => void)[] = [];
  readonly #resting: NodeJS.Timeout;

  private constructor(
    private readonly connection: JetStreamConnection,
    private readonly settings: NatsSettings,
  ) {
    const { quietAfter } = settings;
    this.#store = new NatsStore(connection, settings);
    this.#anchors = new Anchors(this.#store, settings);
    this.#host = {
      store: this.#store,
      quietAfter,
      whenThere: (until) => this.#whenThere(until),
      isAnother: () => this.#lookAgain(),
    };
    this.#resting = setInterval(() => this.#rest(), quietAfter / 2).unref();
  }

  /** Closes the connection if it fails. @throws SseError `BACKPLANE_FAILED` */
  static async open(connection: JetStreamConnection, settings: NatsSettings): Promise<NatsLogs> {
    const logs = new NatsLogs(connection, settings);
    try {
      await logs.#store.open();
      await logs.#look();
      return logs;
    } catch (error) {
      await logs.close();
      throw error;
    }
  }

  watch(changed: (connection: Connection) => void): Connection {
    const { names } = this.#store;
    this.#changed = changed;
    this.connection.subscribe(names.liveEnds, (message) => {
      const seq = sequenceOf(message);
      const end = seq && decodeMessage({ seq, text: message.string() });
      if (end) this.#channels.get(channelOf(message.subject) ?? '')?.ended(end);
    });
    // A new leader may answer before it knows all, and the one before does not answer any more.
    this.connection.subscribe(`$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.*`, ({ subject }) => {
      const name = subject.slice(subject.lastIndexOf('.') + 1);
      if (name !== names.log && name !== names.heads) return;
      this.connection.giveUp();
      this.#lookAgain();
    });
    this.connection.watch({ up: () => this.#lookAgain(), down: () => this.#away() });
    if (this.connection.isUp) return 'up';
    this.#phase = 'away';
    return 'away';
  }

  async append(publication: Publication, left: number): Promise<Appended> {
    const position = await this.#channel(publication.channel).append(publication, performance.now() + left);
    return { position };
  }

  async read(
    channel: string,
    settings: ChannelSettings,
    known: Position | undefined,
    asked: readonly Position[],
  ): Promise<RemoteRange> {
    return this.#call(async () => {
      const positions = known ? [known, ...asked] : asked;
      // The beginning of the log is seen only if it is read from there.
      const isWhole = !known || positions.some(({ offset }) => offset === 0);
      const receiving = this.#channels.get(channel)?.receiving;
      const found = await this.#find(channel, positions, isWhole ? undefined : known);
      if (receiving === this.#channels.get(channel)?.receiving) receiving?.wasRead(found.state);
      const valid = await this.#anchors.valid(positions, found);
      const begins = [...valid.keys()];
      const anchor = known && valid.get(known);
      const { log } = found;
      if (!log) {
        const since = anchor && known;
        const position = (anchor && (await this.#anchors.isFresh(anchor)) ? known : found.absent) as Position;
        return {
          since,
          floor: position,
          head: position,
          entries: [],
          clearedAt: 0,
          completed: false,
          begins,
        };
      }
      const isHeld = known && log.has(known);
      const kept = isHeld ? log : limited(log, limitsOf(settings), this.#store.now());
      const { floor, head, clearedAt, completed } = kept;
      const since = isHeld ? known : anchor && floor.offset === 0 ? floor : undefined;
      const entries = [...kept.entriesAfter(since?.offset ?? floor.offset)];
      return { since, floor, head, entries, clearedAt, completed, begins };
    });
  }

  async range(channel: string, settings: ChannelSettings, query: RangeQuery): Promise<LogRange> {
    return this.#call(async () => {
      const asked = [query.after, query.upTo].filter((one) => one !== undefined);
      const found = await this.#find(channel, asked);
      const valid = await this.#anchors.valid(asked, found);
      const limits = limitsOf(settings);
      const log = found.log
        ? limited(found.log, limits, this.#store.now())
        : new EventLog(found.absent as Position, limits);
      // The position of an absent log is where the log begins, as long as that has let go of nothing.
      const here = (position: Position | undefined): Position | undefined =>
        position && log.floor.offset === 0 && valid.has(position) ? log.floor : position;
      const [after, upTo] = [here(query.after), here(query.upTo)];
      return rangeOf(log, { limit: query.limit, ...(after && { after }), ...(upTo && { upTo }) });
    });
  }

  complete(channel: string, settings: ChannelSettings): Promise<Position> {
    return this.#call(() => this.#channel(channel).complete(settings));
  }

  purge(channel: string): Promise<Position | undefined> {
    return this.#call(() => this.#channel(channel).purge());
  }

  /**
   * Each followed channel has a core subscription of its own, so that an instance is sent what its clients listen to,
   * and not all that anybody publishes. On the server a subscription costs an entry in a tree. Nothing is lost between
   * it and the first read: both go over one connection, so the server knows of the subscription when it reads.
   */
  async subscribe(name: string, notify: (notice: Notice) => void): Promise<void> {
    const channel = this.#channel(name);
    channel.receiving.follow(notify);
    const end = this.connection.subscribe(this.#store.names.liveEvent(channel.token), (message) => {
      const seq = sequenceOf(message);
      if (seq !== undefined) channel.receiving.received(seq, message);
    });
    this.#subscriptions.get(name)?.();
    this.#subscriptions.set(name, end);
  }

  unsubscribe(channel: string): void {
    this.#subscriptions.get(channel)?.();
    this.#subscriptions.delete(channel);
    this.#channels.get(channel)?.receiving.unfollow();
  }

  flushNotices(): Promise<void> {
    return this.#call(() => this.connection.flush());
  }

  restOf(): number {
    return REST;
  }

  now(): number {
    return this.#store.now();
  }

  async close(): Promise<void> {
    this.#phase = 'closed';
    this.#changed = undefined;
    clearInterval(this.#resting);
    for (const go of this.#waiting.splice(0)) go();
    await this.connection.close();
  }

  /** Reads a log, from an event on if that is there. An offset beyond its head may be news, or a leader that is behind. */
  async #find(channel: string, asked: readonly Position[], from?: Position): Promise<Found> {
    await this.#channels.get(channel)?.settled();
    const found = await this.#read(channel, from);
    const newest = found.log?.head.offset ?? 0;
    if (asked.every(({ offset }) => offset <= newest)) return found;
    await this.#store.catchUp();
    return this.#read(channel, from);
  }

  async #read(channel: string, from: Position | undefined): Promise<Found> {
    for (;;) {
      const anchor = this.#anchors.current;
      const read = await this.#reads.run(
        () => readLog(this.#store, tokenOf(channel), from),
        this.settings.publishTimeout,
      );
      if (read.log) return { ...read, absent: undefined };
      const absent = await this.#anchors.positionOfAbsent(read.state.after, anchor);
      if (absent) return { ...read, absent };
    }
  }

  #channel(name: string): NatsChannel {
    const channel = this.#channels.get(name) ?? new NatsChannel(name, this.#host);
    this.#channels.delete(name);
    this.#channels.set(name, channel);
    for (const [oldest, { isIdle, isActive }] of this.#channels) {
      const { size } = this.#channels;
      if (size <= MAX_IDLE || !isIdle || (isActive && size <= MAX_ACTIVE)) break;
      this.#channels.delete(oldest);
    }
    return channel;
  }

  #away(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'away';
    this.#changed?.('away');
  }

  #lookAgain(): void {
    if (this.#phase === 'closed' || this.#phase === 'looking') return;
    this.#away();
    this.#phase = 'looking';
    void this.#lookOn();
  }

  async #lookOn(): Promise<void> {
    for (;;) {
      const isSeen = await giveUpAfter(LOOK, () => this.#look()).then(...yesOrNo);
      // Another look may have begun after a loss of the connection.
      if (this.#phase !== 'looking') return;
      if (isSeen) return this.#there();
      // JetStream is there some time after the server.
      await delay(RETRY, undefined, { ref: false });
      if (this.#phase !== 'looking') return;
    }
  }

  async #look(): Promise<void> {
    await this.#store.ensure();
    await this.#anchors.renew();
  }

  #there(): void {
    this.#phase = 'there';
    for (const channel of this.#channels.values()) channel.forget();
    for (const go of this.#waiting.splice(0)) go();
    this.#changed?.('up');
  }

  /** As {@link ChannelHost.whenThere}. @throws SseError */
  async #whenThere(until: number): Promise<void> {
    if (this.#phase === 'closed') throw hubClosed();
    this.#lookAgain();
    if (this.settings.whileAway === 'fail') throw noStream('at present');
    const there = new Promise<void>((resolve) => this.#waiting.push(resolve));
    await giveUpAfter(Math.max(0, until - performance.now()), () => there).catch(() => {
      throw noStream('in time');
    });
  }

  #rest(): void {
    const now = performance.now();
    if (this.#phase !== 'there') return;
    for (const channel of this.#channels.values()) {
      // One that fails is tried again when the channel falls quiet again.
      if (channel.isActive)
        this.#rests.run(() => channel.rest(now), this.settings.quietAfter / 2).catch(() => undefined);
    }
  }

  async #call<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (isNotTaken(error)) this.#lookAgain();
      else if (!isNoAnswer(error)) throw callFailure('other', error);
      throw new NotNow(noReply(error));
    }
  }
}

const limitsOf = ({ history }: ChannelSettings): Required<HistoryOptions> => history ?? WINDOW;

const yesOrNo = [() => true, () => false] as const;
