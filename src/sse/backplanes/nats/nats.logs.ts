import { rangeOf, WINDOW, type LogRange, type RangeQuery } from '../../log/backplane.js';
import { EventLog } from '../../log/event-log.js';
import type { Position } from '../../protocol/position.js';
import { notSent, SseError, type BackplaneCall } from '../../sse.errors.js';
import type { HistoryOptions } from '../../sse.options.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { NotNow } from '../common/remote-calls.js';
import type {
  Appended,
  Connection,
  Notice,
  Publication,
  RemoteLogs,
  RemoteRange,
} from '../common/remote-logs.js';
import { ConcurrencyLimit } from '../common/tasks.js';
import { Anchors } from './anchors.js';
import { limited, readLog, type KeptLog } from './channel-log.js';
import type { JetStreamConnection } from './connection.js';
import { isNoAnswer, isNotTaken, noReply } from './errors.js';
import { channelOf, decodeMessage, sequenceOf } from './layout.js';
import { NatsChannel } from './nats-channel.js';
import { NatsStore } from './nats-store.js';
import type { NatsSettings } from './nats.options.js';
import { RecentChannels } from './recent-channels.js';

/** Logs that are read at the same time, and heads that are recorded at the same time. */
const READS = 50;
const RECORDINGS = 20;
/** How often a leader proves that it knows all before it is believed that it has no event at a position. */
const PROOFS = 2;
/** Milliseconds between two comparisons of a local copy with the server. */
const COMPARISON = 30_000;

interface Found extends KeptLog {
  /** Without limits. That of an absent channel is empty, at the position that says so. */
  readonly log: EventLog;
  /** The positions among those asked for that stand for the beginning of the log. */
  readonly begins: readonly Position[];
}

/**
 * The logs of all channels in JetStream. `index.ts` says how they lie there, {@link NatsStore} whether they are there,
 * {@link NatsChannel} changes one, {@link readLog} reads one.
 */
export class NatsLogs implements RemoteLogs {
  readonly server = 'NATS';
  readonly #reads = new ConcurrencyLimit(READS);
  readonly #recordings = new ConcurrencyLimit(RECORDINGS);
  readonly #channels = new RecentChannels<NatsChannel>();
  readonly #recording: NodeJS.Timeout;

  private constructor(
    private readonly store: NatsStore,
    private readonly anchors: Anchors,
  ) {
    this.#recording = setInterval(() => this.#recordHeads(), store.settings.quietAfter / 2).unref();
  }

  /** Closes the connection if it fails. @throws SseError `BACKPLANE_FAILED` */
  static async open(connection: JetStreamConnection, settings: NatsSettings): Promise<NatsLogs> {
    const store = new NatsStore(connection, settings);
    try {
      await store.open();
      return new NatsLogs(store, await Anchors.open(store));
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  watch(changed: (connection: Connection) => void): Connection {
    const { connection, names } = this.store;
    connection.subscribe(names.liveEnds, (message) => {
      const seq = sequenceOf(message);
      const end = seq && decodeMessage({ seq, text: message.string() });
      if (end) this.#channels.get(channelOf(message.subject) ?? '')?.ended(end);
    });
    return this.store.watch((state) => {
      if (state === 'up') for (const channel of this.#channels.values()) channel.forget();
      changed(state);
    });
  }

  async append(publication: Publication, _left: number, number: number): Promise<Appended> {
    const stored = this.#channel(publication.channel).append(publication, number);
    return { position: await this.#answer(stored, 'publish') };
  }

  async readOn(
    name: string,
    settings: ChannelSettings,
    known: Position | undefined,
    asked: readonly Position[],
  ): Promise<RemoteRange> {
    const positions = known ? [known, ...asked] : asked;
    // The beginning of the log is seen only if it is read from there.
    const isWhole = !known || positions.some(({ offset }) => offset === 0);
    const channel = this.#channel(name);
    const found = this.#find(channel, positions, isWhole ? undefined : known);
    const { state, log, begins } = await this.#answer(found);
    channel.receiving.wasRead(state);
    const isHeld = known && log.has(known);
    const kept = isHeld ? log : limited(log, limitsOf(settings), this.now());
    const { floor, head, clearedAt, completed } = kept;
    const isBegin = known && floor.offset === 0 && begins.includes(known);
    const since = isHeld || (isBegin && log.isAbsent) ? known : isBegin ? floor : undefined;
    const entries = [...kept.entriesAfter(since?.offset ?? floor.offset)];
    return { since, floor, head, entries, clearedAt, completed, begins };
  }

  async read(name: string, settings: ChannelSettings, query: RangeQuery): Promise<LogRange> {
    const asked = [query.after, query.upTo].filter((one) => one !== undefined);
    const found = await this.#answer(this.#find(this.#channel(name), asked));
    const log = limited(found.log, limitsOf(settings), this.now());
    // The position of an absent log is where the log begins, as long as that has let go of nothing.
    const here = (position: Position | undefined): Position | undefined =>
      position && log.floor.offset === 0 && found.begins.includes(position) ? log.floor : position;
    const [after, upTo] = [here(query.after), here(query.upTo)];
    return rangeOf(log, { limit: query.limit, ...(after && { after }), ...(upTo && { upTo }) });
  }

  complete(channel: string, settings: ChannelSettings): Promise<Position> {
    return this.#answer(this.#channel(channel).complete(settings));
  }

  purge(channel: string): Promise<Position | undefined> {
    return this.#answer(this.#channel(channel).purge());
  }

  async subscribe(channel: string, notify: (notice: Notice) => void): Promise<void> {
    this.#channel(channel).follow(notify);
  }

  unsubscribe(channel: string): void {
    this.#channels.get(channel)?.unfollow();
  }

  noticesArrived(): Promise<void> {
    return this.#answer(this.store.connection.flush());
  }

  comparisonInterval(): number {
    return COMPARISON;
  }

  now(): number {
    return this.store.now();
  }

  async close(): Promise<void> {
    clearInterval(this.#recording);
    await this.store.close();
  }

  /**
   * Reads a log, from an event on if that is there. An offset beyond its head may be news, or a leader that is behind.
   * So the leader proves that it knows all; and again, as another may have been elected before the read after that.
   */
  async #find(channel: NatsChannel, asked: readonly Position[], from?: Position): Promise<Found> {
    await channel.settled();
    let found = await this.#read(channel, asked, from);
    for (let i = 0; i < PROOFS && asked.some(({ offset }) => offset > found.log.head.offset); i++) {
      await this.store.catchUp();
      found = await this.#read(channel, asked, from);
    }
    return found;
  }

  async #read({ token }: NatsChannel, asked: readonly Position[], from?: Position): Promise<Found> {
    const { publishTimeout } = this.store.settings;
    for (;;) {
      const anchor = this.anchors.current;
      const read = await this.#reads.run(() => readLog(this.store, token, from), publishTimeout);
      const { state, log } = read;
      const valid = await this.anchors.valid(asked, read);
      const begins = [...valid.keys()];
      if (log) return { state, log, begins };
      const absent = await this.anchors.positionOfAbsent(state.after, valid, anchor);
      if (absent) return { state, log: new EventLog(absent, WINDOW), begins };
    }
  }

  #channel(name: string): NatsChannel {
    return this.#channels.use(name, () => new NatsChannel(name, this.store));
  }

  #recordHeads(): void {
    const { isThere, settings } = this.store;
    if (!isThere) return;
    const now = performance.now();
    for (const channel of this.#channels.values()) {
      // One that fails is tried again when the channel falls quiet again.
      if (channel.isActive)
        this.#recordings.run(() => channel.recordHead(now), settings.quietAfter / 2).catch(() => undefined);
    }
  }

  /** A call that has had no effect is made again when the streams are there. */
  async #answer<T>(answer: Promise<T>, call: BackplaneCall = 'other'): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof SseError) throw error;
      if (isNotTaken(error)) this.store.lookAgain();
      else if (!isNoAnswer(error)) throw notSent(call, noReply(error));
      throw new NotNow(noReply(error));
    }
  }
}

const limitsOf = ({ history }: ChannelSettings): Required<HistoryOptions> => history ?? WINDOW;
