import { PUBLISH_ID_MEMORY, WINDOW, type LogRange, type RangeQuery } from '../../log/backplane.js';
import type { LogEntry } from '../../log/event-log.js';
import { newMark } from '../common/mark.js';
import type { Position } from '../../protocol/position.js';
import { channelCompleted, notSent } from '../../sse.errors.js';
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
import { entriesOf, keptOf, noticeOf, positionOf, warnOfForeign, type Kept } from './redis.answers.js';
import type { RedisConnection } from './redis.connection.js';
import { callFailed, publishFailed, startFailure } from './redis.errors.js';
import { AS_IT_IS, SCRIPTS, type RedisScript } from './redis.scripts.js';

/** Entries that one answer has at most; a longer range is read in several. */
const PAGE = 1_000;
/** No log holds it: a read after it begins with the oldest entry. */
const BEFORE_ALL: Position = { offset: -1, mark: '' };
/** The most milliseconds between two comparisons of a copy with the server. */
const LONGEST_REST = 200_000;
/**
 * Part of the names of logs and notices, so that instances of another version have their own. All versions share the
 * instances, leases, orders and wills.
 */
const VERSION = 2;

/**
 * The logs in one Redis. Each operation is a call of a script (redis.scripts.ts). Notices come by plain pub/sub, with one
 * subscription for each channel that is followed here.
 */
export class RedisLogs implements RemoteLogs {
  readonly server = 'Redis';
  readonly #prefix: string;
  /** The name of the store when it was last asked for. */
  #store = '';

  private constructor(private readonly connection: RedisConnection) {
    this.#prefix = `${connection.prefix}:${VERSION}`;
  }

  /** @throws SseError `BACKPLANE_FAILED` */
  static async open(connection: RedisConnection): Promise<RedisLogs> {
    const logs = new RedisLogs(connection);
    try {
      // Before anything else, as the store's name shows whether a Redis has come back empty.
      await logs.#identify();
      // Tries whether the user may PUBLISH to our topics. Scripts do that last: without the right they would store an
      // event and then fail.
      await connection.send('PUBLISH', logs.#noticesOf(''), '');
    } catch (cause) {
      connection.close();
      throw startFailure(connection.address, cause);
    }
    return logs;
  }

  watch(changed: (connection: Connection) => void): Connection {
    return this.connection.watch(changed);
  }

  async append(publication: Publication, left: number): Promise<Appended> {
    const { channel, settings, event, mark, publishId } = publication;
    const { clock } = this.connection;
    const { count, bytes, age } = settings.history ?? WINDOW;
    const limits = [limitOf(count), limitOf(bytes), limitOf(age), limitOf(settings.ttl)];
    const body = [String(event.bytes), encodeEvent(event)];
    const deadline = String(clock.in(left));
    const args = [this.#noticesOf(channel), mark, ...limits, deadline, ...body, String(PUBLISH_ID_MEMORY)];
    const keys = this.#keysOf(channel);
    if (publishId !== undefined) keys.push(this.#keyOf(channel, `id:${publishId}`));
    const answer = (await this.connection.run(SCRIPTS.append, keys, args).catch(publishFailed)) as string[];
    clock.observe(Number(answer.at(-1)));
    // `words` is the position before a stored event, or the mark of a known one.
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
        const [previous, previousMark] = words.split(' ');
        const known = positionOf(previous, previousMark);
        const entry = { offset: position.offset, mark, previous: known.offset, known, at: Number(at), event };
        return { position, entry };
      }
    }
  }

  async readOn(
    channel: string,
    settings: ChannelSettings,
    known: Position | undefined,
    asked: readonly Position[],
  ): Promise<RemoteRange> {
    let since = known;
    let entries: LogEntry[] = [];
    for (let after = known; ; after = entries.at(-1)) {
      const query = { after: after ?? BEFORE_ALL, limit: PAGE };
      const kept = await this.#look('follow', channel, settings, query, asked);
      const { floor, head, clearedAt, completed, stream } = kept;
      if (!kept.hasAfter) {
        // It is another log, or has let go of the position. The answer begins with the oldest entry.
        entries = [];
        const isBegin = after && floor.offset === 0 && kept.beginsWith(after);
        if (!isBegin) since = undefined;
        else if (kept.isThere) since = kept.birth;
      }
      const page = entriesOf(stream, this.#keyOf(channel, 'log'));
      entries.push(...page);
      // A page of foreign entries alone would be read for ever.
      if (stream.length === PAGE && page.length > 0) continue;
      const begins = asked.filter((position) => kept.beginsWith(position));
      return { floor, head, since, entries, clearedAt, completed, begins };
    }
  }

  async read(channel: string, settings: ChannelSettings, query: RangeQuery): Promise<LogRange> {
    const { after, upTo } = query;
    const kept = await this.#look('look', channel, settings, query);
    const { floor, head, hasAfter, hasUpTo } = kept;
    const unheld = { after: hasAfter ? undefined : after, upTo: hasUpTo ? undefined : upTo };
    const isBegin = (position: Position): boolean => floor.offset === 0 && kept.beginsWith(position);
    const missing = (position: Position | undefined): LogRange['missing'] => {
      if (!position || isBegin(position)) return undefined;
      return position.offset < floor.offset ? 'evicted' : 'unknown';
    };
    const isEmpty = upTo?.offset === 0 && isBegin(upTo);
    const entries = isEmpty ? [] : entriesOf(kept.stream, this.#keyOf(channel, 'log'));
    if (!after) entries.reverse();
    return { floor, head, entries, missing: missing(unheld.after) ?? missing(unheld.upTo) };
  }

  async complete(channel: string, settings: ChannelSettings): Promise<Position> {
    const args = [newMark(), limitOf(settings.ttl)];
    const [offset, mark] = (await this.#run(SCRIPTS.complete, channel, args)) as string[];
    return positionOf(offset, mark);
  }

  async purge(channel: string): Promise<Position | undefined> {
    const answer = (await this.#run(SCRIPTS.purge, channel, [])) as string[] | null;
    return answer ? positionOf(answer[0], answer[1]) : undefined;
  }

  async subscribe(channel: string, receive: (notice: Notice) => void): Promise<void> {
    const told = (text: string, topic: string): void => {
      const notice = noticeOf(text);
      if (notice) receive(notice);
      else warnOfForeign(`A message on ${topic}`);
    };
    await this.connection.subscribe(this.#noticesOf(channel), told).catch(callFailed);
  }

  unsubscribe(channel: string): void {
    this.connection.unsubscribe(this.#noticesOf(channel));
  }

  /** Notices and the answer come one after the other, on the same connection. */
  async noticesArrived(): Promise<void> {
    await this.connection.noticesArrived().catch(callFailed);
  }

  now(): number {
    return this.connection.clock.in(0);
  }

  /** A comparison puts off the expiry of the channel, and renews the position of an absent one (redis.answers.ts). */
  comparisonInterval({ ttl }: ChannelSettings): number {
    return Math.min(ttl / 8, LONGEST_REST);
  }

  async close(): Promise<void> {
    this.connection.close();
  }

  /**
   * Reads a log. If the answer depends on the store's name, reads until the name is the same before and after.
   *
   * @param purpose `follow` puts off the expiry of the channel, and keeps the position of an absent one while it is
   * young
   */
  async #look(
    purpose: 'look' | 'follow',
    channel: string,
    { history, ttl }: ChannelSettings,
    { after, upTo, limit }: RangeQuery,
    asked: readonly Position[] = [],
  ): Promise<Kept> {
    const { age } = history ?? WINDOW;
    const ends = [after, upTo].flatMap((end) => (end ? [String(end.offset), end.mark] : ['', '']));
    const [expiry, known] = purpose === 'follow' ? [limitOf(ttl), after] : [AS_IT_IS];
    const args = [limitOf(age), expiry, ...ends, limitOf(limit)];
    for (;;) {
      const store = this.#store;
      const answer = (await this.#run(SCRIPTS.read, channel, args)) as unknown[];
      const kept = keptOf(answer, store, ttl, known);
      const isSure = kept.isThere && [after, upTo, ...asked].every((position) => position?.offset !== 0);
      if (isSure || (await this.#identify().catch(callFailed)) === store) return kept;
    }
  }

  /** Asks for the name of the store. */
  async #identify(): Promise<string> {
    const name = await this.connection.run(SCRIPTS.store, [`${this.#prefix}:store`], [newMark()]);
    return (this.#store = String(name));
  }

  /** The topic for notices of a channel. Pub/sub does not separate databases, so the name has the number of ours. */
  #noticesOf(channel: string): string {
    return `${this.#prefix}:${this.connection.database}:{${tagOf(channel)}}`;
  }

  #keyOf(channel: string, what: string): string {
    return `${this.#prefix}:{${tagOf(channel)}}:${what}`;
  }

  #keysOf(channel: string): string[] {
    return [this.#keyOf(channel, 'log'), this.#keyOf(channel, 'state')];
  }

  async #run(script: RedisScript, channel: string, args: string[]): Promise<unknown> {
    const allArgs = [this.#noticesOf(channel), ...args];
    return this.connection.run(script, this.#keysOf(channel), allArgs).catch(callFailed);
  }
}

/** A hash tag ends at the first brace. */
const tagOf = (channel: string): string => channel.replace(/[%{}]/g, encodeURIComponent);

/** A limit as the scripts take it: empty for none. */
const limitOf = (limit: number): string => (limit === Infinity ? '' : String(Math.ceil(limit)));
