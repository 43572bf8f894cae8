import { Logger } from '@nestjs/common';
import type { Channel } from '../channels/channel.js';
import { answerInTime, type ChannelHandlers, type MatchedHandler } from '../handlers/channel-handlers.js';
import { gapAt } from '../log/event-log.js';
import { parseId, type NamedPosition, type Position } from '../protocol/position.js';
import type { SseSettings } from '../sse.settings.js';
import type { Preface, Prefaces } from '../streams/preface.js';
import { Snapshot, snapshotBody } from './snapshot.js';
import type { SnapshotOf } from './sse-snapshot.decorator.js';

/*
 * The snapshot of a channel comes from its method with `@SseSnapshot()`, and is the preface of its log. Each client that
 * needs one has a `DueSnapshot`. The `ChannelSnapshots` of the channel make one snapshot for all who need it.
 */

type SnapshotSettings = Pick<SseSettings, 'snapshotTime' | 'maxEventBytes'>;

/** How often a snapshot is made for a client while the log moves past each. */
const ATTEMPTS = 3;

const logger = new Logger('SseSnapshot');

/** The channels that have snapshots. */
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

/** A snapshot that a client needs before anything else of its channel. */
class DueSnapshot implements Preface {
  #made: Snapshot | undefined;
  #attempts = 0;
  #making: Promise<void> | undefined;

  constructor(private readonly snapshots: ChannelSnapshots) {}

  take(made: () => void, failed: (error: unknown) => void): Snapshot | undefined {
    const ready = this.#ready;
    if (!ready && !this.#making) this.prepare().then(made, failed);
    return ready;
  }

  prepare(): Promise<void> {
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  /** The snapshot, if it will do. That of the last attempt does, even if the log has moved past it. */
  get #ready(): Snapshot | undefined {
    const made = this.#made;
    return made && (this.#attempts >= ATTEMPTS || !this.snapshots.isOutdated(made)) ? made : undefined;
  }

  async #make(): Promise<void> {
    while (!this.#ready) {
      this.#made = await this.snapshots.make();
      this.#attempts++;
    }
  }
}

/** Has the method of one channel called: one call at a time, for all who need the state. */
class ChannelSnapshots {
  #making: Promise<Snapshot> | undefined;

  constructor(
    private readonly channel: Channel,
    private readonly matched: MatchedHandler,
    private readonly settings: SnapshotSettings,
  ) {}

  /**
   * The snapshot that is being made, or a new one. A client that asks while one is being made gets all that comes
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
    const { channel, settings } = this;
    const { handler, params } = this.matched;
    const { floor, head } = channel.log; // as they are before the call
    const request = { channel: channel.name, params };
    const late = `The state of "${channel.name}" is not available.`;
    const answer = await answerInTime(handler, request, settings.snapshotTime, logger, late);
    const { state, after } = (answer ?? {}) as Partial<SnapshotOf>;
    const body = snapshotBody(channel.name, state, handler.name, settings.maxEventBytes);
    if (!channel.hasHistory || after === undefined) return new Snapshot(body, at(head));
    const upTo = await this.#find(namedBy(after));
    const missed = gapAt(upTo, channel.log);
    // The event was there when the method was called, and was pushed out since.
    const wasThere = missed?.reason === 'evicted' && offsetOf(upTo) >= floor.offset;
    if (!missed || wasThere) return new Snapshot(body, upTo);
    logger.warn(
      `${handler.name} gave an "after" for "${channel.name}" that is not in its log (${missed.reason}): ${missed.requested}. Clients are told of a gap, and get all that the log has.`,
    );
    return new Snapshot(body, upTo, false);
  }

  /** Looks for the last event of a state, which may be on its way from another process, or of a log that is gone. */
  async #find(after: NamedPosition): Promise<NamedPosition> {
    const { channel } = this;
    if (after.kind !== 'position' || channel.log.has(after.position)) return after;
    const located = await channel.locate(after.position);
    if (located) return at(located);
    const { log } = channel;
    const isOfAnotherLog = log.missing(after.position) === 'unknown';
    // That log was lost, or given back when nobody used it. The state includes nothing of the log in its place.
    return isOfAnotherLog && log.floor.offset === 0 ? at(log.floor) : after;
  }
}

const at = (position: Position): NamedPosition => ({ kind: 'position', position, text: '' });

const offsetOf = (named: NamedPosition): number => (named.kind === 'position' ? named.position.offset : -1);

/** A caller in JavaScript may give anything. */
function namedBy(after: unknown): NamedPosition {
  const text = String(after).slice(0, 200);
  const position = typeof after === 'string' ? parseId(after)?.position : undefined;
  return position ? { kind: 'position', position, text } : { kind: 'unreadable', text };
}
