import { PUBLISH_ID_MEMORY, WINDOW, type LogRange, type RangeQuery } from '../../log/backplane.js';
import type { LogEntry } from '../../log/event-log.js';
import { newMark } from '../../log/mark.js';
import type { Position } from '../../protocol/position.js';
import { channelCompleted, notSent, reasonOf, SseError } from '../../sse.errors.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { encodeEvent } from '../common/event-text.js';
import type {
  Appended,
  Connection,
  Notice,
  Publication,
  RemoteLogs,
  RemoteRange,
} from '../common/remote-logs.js';
import { absentPosition, ageOf } from './absent-position.js';
import {
  beginsWith,
  entriesOf,
  isThere,
  keptOf,
  noticeOf,
  positionOf,
  warnOfForeign,
  type Absent,
  type Kept,
  type StreamEntry,
} from './redis.answers.js';
import type { RedisConnection } from './redis.connection.js';
import { callFailure } from './redis.errors.js';
import { SCRIPTS, type RedisScript } from './redis.scripts.js';

/** Entries that one answer has at most; a longer range is read in several. */
const PAGE = 1_000;
/** The longest time between two looks at the server's log, in milliseconds. */
const LONGEST_REST = 200_000;
/** Names of all that is kept have it: instances of another version keep theirs apart. */
const VERSION = 2;

/**
 * The logs in one Redis: what is done to each, as calls of the scripts. Notices come by plain pub/sub, one
 * subscription for each channel that is followed here.
 */
export class RedisLogs implements RemoteLogs {
  readonly server = 'Redis';
  readonly #prefix: string;
  /** What identifies the store, as far as it is known. */
  #store = '';

  private constructor(private readonly connection: RedisConnection) {
    this.#prefix = `${connection.prefix}:${VERSION}`;
  }

  /** @throws SseError `BACKPLANE_FAILED` */
  static async open(connection: RedisConnection): Promise<RedisLogs> {
    const logs = new RedisLogs(connection);
    try {
      // So that it is there before anything else: it shows that a Redis has come back empty.
      await logs.#identify();
      // A script that fails has done nothing. If it could not send a notice, it would fail when it has done all else.
      await connection.send('PUBLISH', logs.#noticesOf(''), '');
    } catch (cause) {
      connection.close();
      const reason = reasonOf(cause);
      throw new SseError('BACKPLANE_FAILED', `Redis at ${connection.address} cannot be used: ${reason}`, {
        cause,
      });
    }
    return logs;
  }

  watch(changed: (connection: Connection) => void): Connection {
    this.connection.watch(changed);
    return this.connection.state;
  }

  async append(publication: Publication, left: number): Promise<Appended> {
    const { channel, settings, event, mark, publishId } = publication;
    const { clock } = this.connection;
    const { count, bytes, age } = settings.history ?? WINDOW;
    const limits = [limitOf(count), limitOf(bytes), limitOf(age), limitOf(settings.ttl)];
    const deadline = String(clock.in(left));
    const answer = (await this.#run(
      SCRIPTS.append,
      channel,
      [mark, ...limits, deadline, String(event.bytes), encodeEvent(event), String(PUBLISH_ID_MEMORY)],
      publishId === undefined ? [] : [this.#keyOf(channel, `id:${publishId}`)],
    )) as string[];
    clock.observe(Number(answer.at(-1)));
    const [outcome, offset, words = '', at] = answer;
    switch (outcome) {
      case 'late':
        throw notSent('publish', 'The event came to Redis when its time was over.');
      case 'completed':
        throw channelCompleted(channel);
      case 'known':
        return { position: positionOf(offset, words) };
      default: {
        const position = positionOf(offset, mark);
        const [previous, previousMark = ''] = words.split(' ');
        const known = positionOf(previous, previousMark);
        return { position, entry: { ...position, previous: known.offset, known, at: Number(at), event } };
      }
    }
  }

  async read(
    channel: string,
    settings: ChannelSettings,
    known: Position | undefined,
    asked: readonly Position[],
  ): Promise<RemoteRange> {
    let page = await this.#page(channel, settings, known, asked);
    const entries = [...page.entries];
    let { since } = page;
    while (page.isFull) {
      page = await this.#page(channel, settings, page.entries.at(-1), asked);
      // The log has moved on so fast that there is a hole, or is another one: this page has all there is.
      if (!page.since) {
        entries.length = 0;
        since = undefined;
      }
      entries.push(...page.entries);
    }
    return { ...page, since, entries };
  }

  async range(channel: string, settings: ChannelSettings, query: RangeQuery): Promise<LogRange> {
    const { after, upTo, limit } = query;
    const words = [after, upTo].flatMap((position) =>
      position ? [String(position.offset), position.mark] : ['', ''],
    );
    const asked = [after, upTo].filter((position) => position?.offset === 0) as Position[];
    const [kept, store] = await this.#look(SCRIPTS.range, channel, [...words, limitOf(limit)], asked);
    if (!isThere(kept)) {
      const head = absentPosition(store, kept.now);
      const isMissing = [after, upTo].some(
        (position) => position && ageOf(position, store, kept.now, settings.ttl) === undefined,
      );
      return { floor: head, head, entries: [], missing: isMissing ? 'unknown' : undefined };
    }
    const { floor, head, rest } = kept;
    const isBegin = (position: Position): boolean =>
      floor.offset === 0 && beginsWith(kept, store, settings, position);
    const missing = (position: Position | undefined, isHeld: unknown): LogRange['missing'] => {
      if (!position || isHeld === '1' || isBegin(position)) return undefined;
      return position.offset < floor.offset ? 'evicted' : 'unknown';
    };
    const [hasAfter, hasUpTo, stream] = rest as [string, string, StreamEntry[]];
    const isEmpty = upTo?.offset === 0 && isBegin(upTo);
    const entries = isEmpty ? [] : entriesOf(stream, this.#keyOf(channel, 'log'));
    if (!after) entries.reverse();
    return { floor, head, entries, missing: missing(after, hasAfter) ?? missing(upTo, hasUpTo) };
  }

  async complete(channel: string, settings: ChannelSettings): Promise<Position> {
    const args = [newMark(), limitOf(settings.ttl)];
    const [offset, mark = ''] = (await this.#run(SCRIPTS.complete, channel, args)) as string[];
    return positionOf(offset, mark);
  }

  async purge(channel: string): Promise<Position | undefined> {
    const answer = (await this.#run(SCRIPTS.purge, channel, [])) as string[] | null;
    return answer ? positionOf(answer[0], answer[1] ?? '') : undefined;
  }

  async subscribe(channel: string, receive: (notice: Notice) => void): Promise<void> {
    const told = (text: string, notices: string): void => {
      const notice = noticeOf(text);
      if (notice) receive(notice);
      else warnOfForeign(`A message on ${notices}`);
    };
    try {
      await this.connection.subscribe(this.#noticesOf(channel), told);
    } catch (error) {
      throw callFailure(error, 'other');
    }
  }

  unsubscribe(channel: string): void {
    this.connection.unsubscribe(this.#noticesOf(channel));
  }

  /** Notices and the answer come one after the other, on the same connection. */
  async flushNotices(): Promise<void> {
    try {
      await this.connection.flushNotices();
    } catch (error) {
      throw callFailure(error, 'other');
    }
  }

  now(): number {
    return this.connection.clock.in(0);
  }

  /** A channel expires after its `ttl`, and nothing yet is to be renewed within a quarter of that. */
  restOf({ ttl }: ChannelSettings): number {
    return Math.min(ttl / 8, LONGEST_REST);
  }

  async close(): Promise<void> {
    this.connection.close();
  }

  /** Some of what is kept after a position. */
  async #page(
    channel: string,
    settings: ChannelSettings,
    known: Position | undefined,
    asked: readonly Position[],
  ): Promise<RemoteRange & { readonly isFull: boolean }> {
    const { age } = settings.history ?? WINDOW;
    const { offset, mark } = known ?? { offset: -1, mark: '' };
    const args = [limitOf(age), limitOf(settings.ttl), String(offset), mark, String(PAGE)];
    const all = known ? [known, ...asked] : asked;
    const [kept, store] = await this.#look(SCRIPTS.read, channel, args, all);
    if (!isThere(kept)) {
      const ageOfKnown = known && ageOf(known, store, kept.now, settings.ttl);
      // Its readers need not be told of another so long as theirs is young.
      const isYoung = ageOfKnown !== undefined && ageOfKnown < settings.ttl / 8;
      const head = known && isYoung ? known : absentPosition(store, kept.now);
      return {
        floor: head,
        head,
        since: ageOfKnown === undefined ? undefined : known,
        entries: [],
        clearedAt: 0,
        completed: false,
        begins: asked.filter((one) => ageOf(one, store, kept.now, settings.ttl) !== undefined),
        isFull: false,
      };
    }
    const { floor, head, birth, clearedAt, completed, rest } = kept;
    const [isHeld, stream] = rest as [string, StreamEntry[]];
    const isBegin = (position: Position): boolean => beginsWith(kept, store, settings, position);
    let since = isHeld === '1' ? known : undefined;
    if (!since && known && floor.offset === 0 && isBegin(known)) since = birth;
    const entries: LogEntry[] = entriesOf(stream, this.#keyOf(channel, 'log'));
    const isFull = stream.length === PAGE && entries.length > 0;
    return { floor, head, since, entries, clearedAt, completed, begins: asked.filter(isBegin), isFull };
  }

  /**
   * Runs a script that reads. Where positions of nothing yet are involved, it says also in which store, which was
   * the same before and after.
   */
  async #look(
    script: RedisScript,
    channel: string,
    args: string[],
    positions: readonly Position[],
  ): Promise<[Kept | Absent, store: string]> {
    for (;;) {
      const store = this.#store;
      const kept = keptOf((await this.#run(script, channel, args)) as unknown[]);
      const isSure = isThere(kept) && positions.every(({ offset }) => offset !== 0);
      if (isSure || (await this.#identify()) === store) return [kept, store];
    }
  }

  /** Finds out which store this is. */
  async #identify(): Promise<string> {
    const name = await this.#eval(SCRIPTS.store, [`${this.#prefix}:store`], [newMark()]);
    this.#store = String(name);
    return this.#store;
  }

  /** Where notices of a channel are sent. They know of no databases, so the name has its number. */
  #noticesOf(channel: string): string {
    return `${this.#prefix}:${this.connection.database}:{${tagOf(channel)}}`;
  }

  #keyOf(channel: string, what: string): string {
    return `${this.#prefix}:{${tagOf(channel)}}:${what}`;
  }

  #run(script: RedisScript, channel: string, args: string[], moreKeys: string[] = []): Promise<unknown> {
    const keys = [this.#keyOf(channel, 'log'), this.#keyOf(channel, 'state'), ...moreKeys];
    return this.#eval(script, keys, [this.#noticesOf(channel), ...args]);
  }

  async #eval(script: RedisScript, keys: string[], args: string[]): Promise<unknown> {
    try {
      return await this.connection.run(script, keys, args);
    } catch (error) {
      throw callFailure(error, script === SCRIPTS.append ? 'publish' : 'other');
    }
  }
}

/** A hash tag ends at the first brace. */
const tagOf = (channel: string): string => channel.replace(/[%{}]/g, encodeURIComponent);

/** Nothing stands for no limit. */
const limitOf = (limit: number): string => (limit === Infinity ? '' : String(Math.ceil(limit)));
