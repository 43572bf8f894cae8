import { Logger } from '@nestjs/common';
import { eventBody } from '../protocol/event-stream.js';
import { parseId, type Position } from '../protocol/position.js';
import { SseError } from '../sse.errors.js';
import type { SseSettings } from '../sse.settings.js';
import type { Channel } from '../channels/channel.js';
import {
  answerInTime,
  type ChannelHandler,
  type ChannelHandlers,
  type MatchedHandler,
} from '../handlers/channel-handlers.js';
import { gapAt, type NamedPosition } from '../log/gap.js';
import type { Preface, Prefaces } from '../streams/preface.js';
import { DueSnapshot } from './due-snapshot.js';
import { Snapshot, type SnapshotOf, type SnapshotRequest } from './snapshot.js';

export type SnapshotSettings = Pick<SseSettings, 'snapshotTime' | 'maxEventBytes'>;

const logger = new Logger('SseSnapshot');

/** Knows which channels have a state that somebody can tell. */
export class Snapshots implements Prefaces {
  readonly #channels = new WeakMap<Channel, ChannelSnapshots>();

  constructor(
    private readonly handlers: ChannelHandlers,
    private readonly settings: SnapshotSettings,
  ) {}

  of(channel: Channel): Preface | undefined {
    const [matched] = this.handlers.of('snapshot', channel.name);
    // A name that writes its parameters otherwise is another channel, and would get the state of the canonical one.
    if (!matched?.isCanonical) return undefined;
    let snapshots = this.#channels.get(channel);
    if (!snapshots) {
      snapshots = new ChannelSnapshots(channel, matched, this.settings);
      this.#channels.set(channel, snapshots);
    }
    return new DueSnapshot(snapshots);
  }
}

/** Has the state of one channel told: by one call at a time, for all who need it. */
export class ChannelSnapshots {
  #making: Promise<Snapshot> | undefined;

  constructor(
    private readonly channel: Channel,
    private readonly matched: MatchedHandler,
    private readonly settings: SnapshotSettings,
  ) {}

  /**
   * The snapshot that is being made, or a new one. Whoever asks while one is being made gets all that comes
   * after it, and so lacks nothing.
   */
  make(): Promise<Snapshot> {
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  /** Whether the log has moved past a snapshot, so that another one would do better. */
  isOutdated({ upTo, wasInLog }: Snapshot): boolean {
    return wasInLog && gapAt(upTo, this.channel.log) !== undefined;
  }

  async #make(): Promise<Snapshot> {
    const { channel } = this;
    const { floor, head } = channel.log; // as they are before the call
    const given = await this.#answer();
    const body = this.#encoded(given);
    if (!channel.hasHistory || given.after === undefined) return new Snapshot(body, at(head), true);
    const after = await this.#find(namedBy(given.after));
    const missed = gapAt(after, channel.log);
    // It was there when the method was called, and was pushed out since.
    const wasInLog = !missed || (missed.reason === 'evicted' && offsetOf(after) >= floor.offset);
    if (missed && !wasInLog) {
      logger.warn(
        `${this.#handler.name} gave an "after" for "${channel.name}" that is not in its log (${missed.reason}): ${missed.requested}. Clients are told of a gap, and get all that the log has.`,
      );
    }
    return new Snapshot(body, after, wasInLog);
  }

  /** The event that a state includes last may be on its way here from another process, or its log be gone. */
  async #find(after: NamedPosition): Promise<NamedPosition> {
    const { channel } = this;
    if (after.kind !== 'position' || channel.log.has(after.position)) return after;
    const located = await channel.locate(after.position);
    if (located) return at(located);
    const { log } = channel;
    const isOfAnotherLog = log.missing(after.position) === 'unknown';
    // The log that it is of was lost, or given back when nobody used it. Of the one since then the state has nothing.
    return isOfAnotherLog && log.floor.offset === 0 ? at(log.floor) : after;
  }

  get #handler(): ChannelHandler {
    return this.matched.handler;
  }

  async #answer(): Promise<SnapshotOf> {
    const { name } = this.channel;
    const request: SnapshotRequest = { channel: name, params: this.matched.params };
    const late = `The state of "${name}" is not available.`;
    return (await answerInTime(
      this.#handler,
      request,
      this.settings.snapshotTime,
      logger,
      late,
    )) as SnapshotOf;
  }

  /** @throws SseError `NOT_SERIALIZABLE`, `EVENT_TOO_LARGE` */
  #encoded(given: SnapshotOf | undefined): string {
    const { name } = this.#handler;
    const state = jsonOf(given?.state, name);
    const data = `{"channel":${JSON.stringify(this.channel.name)},"state":${state}}`;
    const body = eventBody({ type: 'snapshot', data });
    const bytes = Buffer.byteLength(body);
    const { maxEventBytes } = this.settings;
    if (bytes <= maxEventBytes) return body;
    throw new SseError(
      'EVENT_TOO_LARGE',
      `The state that ${name} gave takes ${bytes} bytes, at most ${maxEventBytes} are allowed. Send less of it, or raise maxEventBytes.`,
    );
  }
}

const at = (position: Position): NamedPosition => ({ kind: 'position', position, text: '' });

const offsetOf = (named: NamedPosition): number => (named.kind === 'position' ? named.position.offset : -1);

/** JavaScript gives anything. */
function namedBy(after: unknown): NamedPosition {
  const text = String(after).slice(0, 200);
  const position = typeof after === 'string' ? parseId(after)?.position : undefined;
  return position ? { kind: 'position', position, text } : { kind: 'unreadable', text };
}

function jsonOf(state: unknown, name: string): string {
  let cause: unknown;
  try {
    const text = JSON.stringify(state) as string | undefined;
    if (text !== undefined) return text;
  } catch (error) {
    cause = error;
  }
  throw new SseError(
    'NOT_SERIALIZABLE',
    `${name} gave no state that has a JSON form. It returns { state, after }, or a Promise of that.`,
    { cause },
  );
}
