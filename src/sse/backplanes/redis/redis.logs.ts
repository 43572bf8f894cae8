import { ClientClosedError, ClientOfflineError, ErrorReply } from 'redis';
import { PUBLISH_ID_MEMORY, WINDOW, type LogRange } from '../../hub/backplane.js';
import type { LogEntry } from '../../hub/event-log.js';
import type { StoredEvent } from '../../hub/stored-event.js';
import type { Position } from '../../protocol/position.js';
import { SseError } from '../../sse.errors.js';
import type { ChannelSettings } from '../../sse.settings.js';
import { newEpoch } from '../epoch.js';
import { encodeEvent } from '../remote/event-text.js';
import type { RemoteRange } from '../remote/log-mirror.js';
import { noAnswer, notSent } from '../remote/remote-calls.js';
import type { RedisConnection } from './redis.connection.js';
import { entriesOf, offsetOf, type StreamEntry } from './redis.entries.js';
import { SCRIPTS, type RedisScript } from './redis.scripts.js';

/** Entries that one answer has at most; a longer range is read in several. */
const PAGE = 1_000;

type Range = [
  epoch: string,
  head: string,
  floor: string,
  cleared: string,
  done: string,
  stream: StreamEntry[],
];

export interface Appended {
  readonly position: Position;
  /** Left out if the event was stored by an earlier call. */
  readonly entry?: LogEntry;
}

/** The logs in one Redis: what is done to each, as calls of the scripts. */
export class RedisLogs {
  constructor(
    private readonly connection: RedisConnection,
    private readonly prefix: string,
  ) {}

  /** Where notices of a channel are sent. They know of no databases, so the name has its number. */
  noticesOf(channel: string): string {
    return `${this.prefix}:${this.connection.database}:{${tagOf(channel)}}`;
  }

  /** @param left milliseconds after which Redis refuses it */
  async append(
    channel: string,
    settings: ChannelSettings,
    event: StoredEvent,
    publishId: string | undefined,
    known: Position | undefined,
    left: number,
  ): Promise<Appended> {
    const { clock } = this.connection;
    const { count, bytes, age } = settings.history ?? WINDOW;
    const keys = publishId === undefined ? [] : [this.#keyOf(channel, `id:${publishId}`)];
    const limits = [limitOf(count), limitOf(bytes), limitOf(age), limitOf(settings.ttl)];
    const args = [
      ...limits,
      String(clock.in(left)),
      String(event.bytes),
      encodeEvent(event),
      String(PUBLISH_ID_MEMORY),
    ];
    const answer = (await this.#run(SCRIPTS.append, channel, known, args, keys)) as string[];
    clock.observe(Number(answer.at(-1)));
    const [outcome, epoch = '', offsetText, previous, at] = answer;
    if (outcome === 'late') throw notSent('publish', 'The event came to Redis when its time was over.');
    if (outcome === 'completed') {
      throw new SseError(
        'CHANNEL_COMPLETED',
        `The channel "${channel}" was completed. Publish to another, or wait until its ttl is over.`,
      );
    }
    const offset = Number(offsetText);
    const position = { epoch, offset };
    if (outcome === 'known') return { position };
    return { position, entry: { offset, previous: Number(previous), at: Number(at), event } };
  }

  /**
   * What is kept of a log after a position, or all of it. The channel comes into being, and is kept from
   * expiring.
   *
   * @param known what this process has seen of the log, if that is more than `after`
   */
  async open(
    channel: string,
    settings: ChannelSettings,
    after: Position | undefined,
    known = after,
  ): Promise<RemoteRange> {
    const { age } = settings.history ?? WINDOW;
    let entries: LogEntry[] = [];
    let { epoch = '' } = after ?? {};
    let start = after ? idsAfter(after.offset) : '-';
    for (;;) {
      const args = [limitOf(age), limitOf(settings.ttl), epoch, start, String(PAGE)];
      const answer = (await this.#run(SCRIPTS.open, channel, known, args)) as Range;
      const stream = answer[5];
      const range = this.#rangeOf(channel, answer);
      if (range.epoch !== epoch) entries = [];
      entries.push(...range.entries);
      const last = stream.at(-1);
      if (!last || stream.length < PAGE) return { ...range, entries };
      epoch = range.epoch;
      start = `(${last[0]}`;
    }
  }

  async read(
    channel: string,
    { after, limit }: { readonly after?: number; readonly limit: number },
  ): Promise<LogRange | undefined> {
    const start = after === undefined ? '' : idsAfter(after);
    const answer = (await this.#run(SCRIPTS.read, channel, undefined, [
      start,
      limitOf(limit),
    ])) as Range | null;
    if (!answer) return undefined;
    if (after === undefined) answer[5].reverse();
    const { epoch, floor, head, entries } = this.#rangeOf(channel, answer);
    return { epoch, floor, head, entries };
  }

  /** Answers with where the channel ends. */
  async complete(channel: string, settings: ChannelSettings, known: Position | undefined): Promise<Position> {
    return positionOf(
      (await this.#run(SCRIPTS.complete, channel, known, [limitOf(settings.ttl)])) as string[],
    );
  }

  /** Answers with the newest that is gone; `undefined` if there is no such channel. */
  async purge(channel: string, known: Position | undefined): Promise<Position | undefined> {
    const answer = (await this.#run(SCRIPTS.purge, channel, known, [])) as string[] | null;
    return answer ? positionOf(answer) : undefined;
  }

  #keyOf(channel: string, what: string): string {
    return `${this.prefix}:{${tagOf(channel)}}:${what}`;
  }

  #rangeOf(channel: string, [epoch, head, floor, cleared, done, stream]: Range): RemoteRange {
    return {
      epoch,
      head: Number(head),
      floor: Number(floor),
      clearedAt: Number(cleared),
      completed: done === '1',
      entries: entriesOf(stream, this.#keyOf(channel, 'log')),
    };
  }

  async #run(
    script: RedisScript,
    channel: string,
    known: Position | undefined,
    args: string[],
    moreKeys: string[] = [],
  ): Promise<unknown> {
    const keys = [this.#keyOf(channel, 'log'), this.#keyOf(channel, 'state'), ...moreKeys];
    const { run } = this.connection;
    const common = [this.noticesOf(channel), run, newEpoch(), known?.epoch ?? '', String(known?.offset ?? 0)];
    try {
      return await this.connection.eval(script, keys, [...common, ...args]);
    } catch (error) {
      throw failureOf(error, script === SCRIPTS.append ? 'publish' : 'other');
    }
  }
}

/** A hash tag ends at the first brace. */
const tagOf = (channel: string): string => channel.replace(/[%{}]/g, encodeURIComponent);

/** Nothing stands for no limit. */
const limitOf = (limit: number): string => (limit === Infinity ? '' : String(Math.ceil(limit)));

/** From where a range of a Stream has the entries after an offset, whoever wrote them. */
const idsAfter = (offset: number): string => `${offset + 1}-0`;

const positionOf = ([epoch = '', offset = '']: readonly string[]): Position => ({
  epoch,
  offset: offsetOf(offset),
});

/** What an error of node-redis says of a call. */
export function failureOf(error: unknown, kind: 'publish' | 'other'): SseError {
  const message = error instanceof Error ? error.message : String(error);
  // A script that fails has done nothing.
  if (error instanceof ErrorReply) return notSent(kind, `Redis refused: ${message}.`);
  if (error instanceof ClientOfflineError || error instanceof ClientClosedError)
    return notSent(kind, 'There is no connection to Redis.');
  return noAnswer(kind, `The connection to Redis broke before the answer (${message}).`);
}
