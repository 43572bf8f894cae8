import { PUBLISH_ID_MEMORY, WINDOW, type LogRange, type RangeQuery } from '../../log/backplane.js';
import type { LogEntry } from '../../log/event-log.js';
import { newMark } from '../../log/mark.js';
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
/** The position before everything: no log holds it. */
const BEFORE_ALL: Position = { offset: -1, mark: '' };
/** The longest time between two looks at the server's log, in milliseconds. */
const LONGEST_REST = 200_000;
/**
 * The names of the logs and their notices have it: instances of another version keep theirs apart. The instances,
 * leases, orders and wills are shared by all versions.
 */
const VERSION = 2;

/**
 * The logs in one Redis: what is done to each, as calls of the scripts. Notices come by plain pub/sub, one
 * subscription for each channel that is followed here.
 */
export class RedisLogs implements RemoteLogs {
  readonly server = 'Redis';
  readonly #prefix: string;
  /** The name of the store, as far as it is known. */
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
      // Tries whether it may PUBLISH to our topics. Scripts do that last: without the right to it they would store an
      // event and then fail.
      await connection.send('PUBLISH', logs.#noticesOf(''), '');
    } catch (cause) {
      connection.close();
      throw startFailure(connection.address, cause);
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
    ).catch(publishFailed)) as string[];
    clock.observe(Number(answer.at(-1)));
    // `words` is the position before the event if that was stored, and its mark if it is known.
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
        // The log is another one, or has moved on so fast that there is a hole: from here on is all there is.
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
    const [offset, mark = ''] = (await this.#run(SCRIPTS.complete, channel, args).catch(
      callFailed,
    )) as string[];
    return positionOf(offset, mark);
  }

  async purge(channel: string): Promise<Position | undefined> {
    const answer = (await this.#run(SCRIPTS.purge, channel, []).catch(callFailed)) as string[] | null;
    return answer ? positionOf(answer[0], answer[1] ?? '') : undefined;
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

  /**
   * Well before the `ttl`, which a look puts off; and so often that the position of an absent channel is renewed in
   * time (absent-position.ts).
   */
  comparisonInterval({ ttl }: ChannelSettings): number {
    return Math.min(ttl / 8, LONGEST_REST);
  }

  async close(): Promise<void> {
    this.connection.close();
  }

  /**
   * Reads a log. Where the answer depends on the store's name, it is read until that is the same before and after.
   *
   * @param purpose `follow` puts off the expiry of the channel, and lets a reader keep the position of an absent one
   * while that is young
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
      const answer = (await this.#run(SCRIPTS.read, channel, args).catch(callFailed)) as unknown[];
      const kept = keptOf(answer, store, ttl, known);
      const isSure = kept.isThere && [after, upTo, ...asked].every((position) => position?.offset !== 0);
      if (isSure || (await this.#identify().catch(callFailed)) === store) return kept;
    }
  }

  /** Finds out which store this is. */
  async #identify(): Promise<string> {
    const name = await this.connection.run(SCRIPTS.store, [`${this.#prefix}:store`], [newMark()]);
    return (this.#store = String(name));
  }

  /** The topic for notices of a channel. Pub/sub knows of no databases, so the name has the number of ours. */
  #noticesOf(channel: string): string {
    return `${this.#prefix}:${this.connection.database}:{${tagOf(channel)}}`;
  }

  #keyOf(channel: string, what: string): string {
    return `${this.#prefix}:{${tagOf(channel)}}:${what}`;
  }

  #run(script: RedisScript, channel: string, args: string[], moreKeys: string[] = []): Promise<unknown> {
    const keys = [this.#keyOf(channel, 'log'), this.#keyOf(channel, 'state'), ...moreKeys];
    return this.connection.run(script, keys, [this.#noticesOf(channel), ...args]);
  }
}

/** A hash tag ends at the first brace. */
const tagOf = (channel: string): string => channel.replace(/[%{}]/g, encodeURIComponent);

/** The empty string stands for no limit. */
const limitOf = (limit: number): string => (limit === Infinity ? '' : String(Math.ceil(limit)));
