import { hubClosed, notSent } from '../../sse.errors.js';
import { setTimeout as delay } from 'node:timers/promises';
import { WINDOW, type LogRange, type RangeQuery } from '../../log/backplane.js';
import { EventLog } from '../../log/event-log.js';
import { rangeOf } from '../../log/log-range.js';
import { isSamePosition, type Position } from '../../protocol/position.js';
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
import { ConcurrencyLimit } from '../common/tasks.js';
import { limited, readLog, type KeptLog } from './channel-log.js';
import { decodeMessage, messageOf, sequenceOf } from './message.js';
import { NatsChannel } from './nats-channel.js';
import { callFailure, isNobodyThere, isUnanswered } from './nats-errors.js';
import type { NatsLink } from './nats-link.js';
import { NatsStore } from './nats-store.js';
import type { NatsSettings } from './nats.options.js';
import { channelOf, tokenOf } from './subjects.js';

/** Channels that are remembered although nothing happens on them, and those whose heads are not kept apart yet. */
const MAX_IDLE = 10_000;
const MAX_ACTIVE = 100_000;
/** Logs that are read at the same time, and heads that are kept apart. */
const READS = 50;
const RESTS = 20;
/** Milliseconds between two tries to find the streams after a reconnect, and for one: its leader may be gone. */
const RETRY = 250;
const LOOK = 2_000;
/** Milliseconds between two comparisons of a copy with the server. */
const REST = 30_000;

/** A channel's log as it was read, and whose position it is that it does not hold. */
interface Found extends KeptLog {
  /** The position of nothing yet, of a channel that is not there. */
  readonly nothingYet: Position | undefined;
}

/**
 * Logs in one stream of NATS JetStream, shared by all instances that use it. A channel is a subject of the stream,
 * and an offset a sequence of the stream. What is idle the stream's limits give back; the channel's `ttl` counts for
 * its completion alone. What has to outlive these limits is kept in a stream of its own: see {@link HeadRecord}.
 */
export class NatsLogs implements RemoteLogs {
  readonly server = 'NATS';
  readonly #store: NatsStore;
  readonly #reads = new ConcurrencyLimit(READS);
  readonly #rests = new ConcurrencyLimit(RESTS);
  /** The one that was used longest ago comes first. */
  readonly #channels = new Map<string, NatsChannel>();
  readonly #subscriptions = new Map<string, () => void>();
  #changed: ((connection: Connection) => void) | undefined;
  /** `looking`: there is a connection, but whether the streams are there and their leaders know all is to be seen. */
  #phase: 'away' | 'looking' | 'there' | 'closed' = 'there';
  /** Those who wait until the streams are there. */
  #waiting: (() => void)[] = [];
  readonly #resting: NodeJS.Timeout;

  private constructor(
    private readonly link: NatsLink,
    private readonly settings: NatsSettings,
  ) {
    this.#store = new NatsStore(link, settings);
    this.#resting = setInterval(() => this.#rest(), settings.quietAfter / 2).unref();
  }

  /** @throws SseError `BACKPLANE_FAILED` */
  static async open(link: NatsLink, settings: NatsSettings): Promise<NatsLogs> {
    const logs = new NatsLogs(link, settings);
    try {
      await logs.#store.open();
      await logs.#store.look();
      return logs;
    } catch (error) {
      await logs.close();
      throw error;
    }
  }

  watch(changed: (connection: Connection) => void): Connection {
    const { names } = this.#store;
    this.#changed = changed;
    this.link.subscribe(names.liveEnds, (message) => {
      const seq = sequenceOf(message);
      const end = seq && decodeMessage(seq, message.string());
      const channel = end && channelOf(message.subject);
      if (channel !== undefined && end) this.#channels.get(channel as string)?.ended(end);
    });
    // A new leader may answer before it knows all.
    this.link.subscribe(`$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.*`, (message) => {
      const name = message.subject.slice(message.subject.lastIndexOf('.') + 1);
      if (name !== names.log && name !== names.heads) return;
      // The leader before it does not answer any more.
      this.link.giveUp();
      this.#lookAgain();
    });
    this.link.watch({ up: () => this.#lookAgain(), down: () => this.#away() });
    if (this.link.isUp) return 'up';
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
      // Where the log begins is to be seen only if it is read from there.
      const isWhole = !known || known.offset === 0 || asked.some(({ offset }) => offset === 0);
      const hearing = this.#channels.get(channel)?.hearing;
      const found = await this.#find(channel, known ? [known, ...asked] : asked, isWhole ? undefined : known);
      if (hearing === this.#channels.get(channel)?.hearing) hearing?.wasRead(found.standing);
      const begins = await this.#begins(asked, found);
      const { log } = found;
      if (!log) return { ...(await this.#absent(found, known)), begins };
      const isHeld = known && log.has(known);
      const isBegin = known && !isHeld && (await this.#begins([known], found)).length > 0;
      const kept = isHeld ? log : limited(log, limitsOf(settings), this.#store.now());
      const { floor, head, clearedAt, completed } = kept;
      const since = isHeld ? known : isBegin && floor.offset === 0 ? floor : undefined;
      const entries = [...kept.entriesAfter(since?.offset ?? floor.offset)];
      return { since, floor, head, entries, clearedAt, completed, begins };
    });
  }

  async range(channel: string, settings: ChannelSettings, query: RangeQuery): Promise<LogRange> {
    return this.#call(async () => {
      const asked = [query.after, query.upTo].filter((one) => one !== undefined);
      const found = await this.#find(channel, asked);
      const begins = await this.#begins(asked, found);
      const limits = limitsOf(settings);
      const log = found.log
        ? limited(found.log, limits, this.#store.now())
        : new EventLog(found.nothingYet as Position, limits);
      // A position of nothing yet is where the log begins, as long as it has let go of nothing.
      const here = (position: Position | undefined): Position | undefined =>
        log.floor.offset === 0 && begins.some((begin) => isSamePosition(begin, position))
          ? log.floor
          : position;
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
   * There is one core subscription for each followed channel, not one for all: an instance is then sent what its
   * clients listen to, and not all that anybody publishes. On the server it costs an entry in a tree. Nothing is lost
   * between it and the first read: both go over one connection, so the server knows of the subscription when it reads.
   */
  async subscribe(name: string, hear: (notice: Notice) => void): Promise<void> {
    const channel = this.#channel(name);
    channel.hearing.follow(hear);
    const end = this.link.subscribe(this.#store.names.liveEvent(channel.token), (message) => {
      const seq = sequenceOf(message);
      if (seq !== undefined) channel.hearing.heard(seq, message);
    });
    this.#subscriptions.get(name)?.();
    this.#subscriptions.set(name, end);
  }

  unsubscribe(channel: string): void {
    this.#subscriptions.get(channel)?.();
    this.#subscriptions.delete(channel);
    this.#channels.get(channel)?.hearing.unfollow();
  }

  flushNotices(): Promise<void> {
    return this.#call(() => this.link.heard());
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
    await this.link.close();
  }

  /**
   * Reads a log. Before it is said that there is no event of a sequence that is beyond its head, its leader has to
   * prove that it knows all.
   */
  async #find(channel: string, asked: readonly Position[], from?: Position): Promise<Found> {
    await this.#channels.get(channel)?.settled();
    const found = await this.#look(channel, from);
    const newest = found.log?.head.offset ?? 0;
    if (asked.every(({ offset }) => offset <= newest)) return found;
    await this.#store.catchUp();
    return this.#look(channel, from);
  }

  async #look(channel: string, from: Position | undefined): Promise<Found> {
    for (;;) {
      const { anchor } = this.#store;
      const read = await this.#reads.run(
        () => readLog(this.#store, tokenOf(channel), from),
        this.settings.publishTimeout,
      );
      if (read.log) return { ...read, nothingYet: undefined };
      const nothingYet = await this.#store.nothingYet(read.standing.after, anchor);
      if (nothingYet) return { ...read, nothingYet };
    }
  }

  /** What is read of a channel that is not there. */
  async #absent(found: Found, known: Position | undefined): Promise<Omit<RemoteRange, 'begins'>> {
    const [since] = known ? await this.#begins([known], found) : [];
    const message = since && (await this.#store.begin(since));
    const isFresh = message && (await this.#store.isFresh(message));
    const position = (isFresh ? since : found.nothingYet) as Position;
    return { since, floor: position, head: position, entries: [], clearedAt: 0, completed: false };
  }

  /**
   * Which positions of nothing yet are valid. The stream has the message that one names, so its limits have let go of
   * nothing since then; no log was ended since then but the one that is there; and that has let go of nothing.
   */
  async #begins(asked: readonly Position[], { standing, log }: Found): Promise<Position[]> {
    const first = log ? messageOf(log.floor)?.offset : Infinity;
    if (first === undefined) return [];
    const ended = standing.after?.offset ?? 0;
    const valid: Position[] = [];
    for (const position of asked) {
      const { offset } = messageOf(position) ?? { offset: -1 };
      if (offset >= ended && offset <= first && offset > 0 && (await this.#store.begin(position)))
        valid.push(position);
    }
    return valid;
  }

  #channel(name: string): NatsChannel {
    const channel = this.#channels.get(name) ?? this.#made(name);
    this.#channels.delete(name);
    this.#channels.set(name, channel);
    for (const [oldest, { isIdle, isActive }] of this.#channels) {
      const { size } = this.#channels;
      if (size <= MAX_IDLE || !isIdle || (isActive && size <= MAX_ACTIVE)) break;
      this.#channels.delete(oldest);
    }
    return channel;
  }

  #made(name: string): NatsChannel {
    return new NatsChannel(name, {
      store: this.#store,
      quietAfter: this.settings.quietAfter,
      whenThere: (until) => this.#whenThere(until),
      isAnother: () => this.#lookAgain(),
    });
  }

  /** The connection is lost. */
  #away(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'away';
    this.#changed?.('away');
  }

  /** The streams may be others, or have leaders that do not know all yet: nobody is answered until that is seen. */
  #lookAgain(): void {
    if (this.#phase === 'closed' || this.#phase === 'looking') return;
    this.#away();
    this.#phase = 'looking';
    void this.#lookOn();
  }

  async #lookOn(): Promise<void> {
    for (;;) {
      const isLate = delay(LOOK, false, { ref: false });
      const isSeen = await Promise.race([this.#store.look().then(...yesOrNo), isLate]);
      // Another look may have begun after a loss of the connection.
      if (this.#phase !== 'looking') return;
      if (isSeen) break;
      // JetStream is there some time after the server.
      await delay(RETRY, undefined, { ref: false });
      if (this.#phase !== 'looking') return;
    }
    this.#there();
  }

  #there(): void {
    this.#phase = 'there';
    for (const channel of this.#channels.values()) channel.forget();
    for (const go of this.#waiting.splice(0)) go();
    this.#changed?.('up');
  }

  /** Nobody has answered: waits until somebody does. @throws SseError the time is over, or it is not to wait */
  async #whenThere(until: number): Promise<void> {
    if (this.#phase === 'closed') throw hubClosed();
    this.#lookAgain();
    if (this.settings.whileAway === 'fail')
      throw notSent('publish', 'NATS has no stream for the event at present.');
    const abort = new AbortController();
    const options = { ref: false, signal: abort.signal };
    const isLate = delay(Math.max(0, until - performance.now()), undefined, options).catch(() => undefined);
    await Promise.race([isLate, new Promise<void>((resolve) => this.#waiting.push(resolve))]);
    abort.abort();
    if (performance.now() >= until)
      throw notSent('publish', 'NATS had no stream for the event when its time was over.');
  }

  #rest(): void {
    const now = performance.now();
    if (this.#phase !== 'there') return;
    for (const channel of this.#channels.values()) {
      if (channel.isActive)
        void this.#rests.run(() => channel.rest(now), this.settings.quietAfter / 2).catch(ignored);
    }
  }

  async #call<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (isNobodyThere(error)) this.#lookAgain();
      else if (!isUnanswered(error)) throw callFailure('other', error);
      throw new NotNow(`NATS did not answer (${(error as Error).message}).`);
    }
  }
}

const limitsOf = ({ history }: ChannelSettings): Required<HistoryOptions> => history ?? WINDOW;

const yesOrNo = [() => true, () => false] as const;

/** It is tried again when the channel falls quiet again. */
const ignored = (): void => undefined;
