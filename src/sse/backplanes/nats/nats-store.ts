import { setTimeout as delay } from 'node:timers/promises';
import { isSamePosition, type Position } from '../../protocol/position.js';
import { PUBLISH_ID_MEMORY } from '../../log/backplane.js';
import { ServerClock } from '../common/server-clock.js';
import { decodeRecord, encodeRecord, type HeadRecord, type KeptRecord } from './head-record.js';
import { InOrder } from './in-order.js';
import { anchor, beginAt, decodeMessage, encodeMessage, messageOf, type Kept } from './message.js';
import type { NatsLink } from './nats-link.js';
import { NatsStream } from './nats-stream.js';
import type { NatsSettings } from './nats.options.js';
import { Names } from './subjects.js';

const NANOSECONDS = 1_000_000;

/** Bytes of the stream of the heads: about two million channels. */
const HEADS_BYTES = 256 * 1024 ** 2;

/** How often it is seen to in a row that the leaders know all; beyond, once a second. */
const MAX_CATCH_UPS = 50;

/** A position of nothing yet is given out until so much of the time is over for which the stream keeps its message. */
const FRESH = 1 / 4;

/** The two streams, the server's clock, and the message that positions of nothing yet name. */
export class NatsStore {
  readonly names: Names;
  readonly log: NatsStream;
  readonly heads: NatsStream;
  readonly #clock = new ServerClock();
  readonly #anchorSubject: string;
  #anchor: Kept | undefined;
  readonly #catchUps = new InOrder();
  #nextCatchUp: Promise<void> | undefined;
  #allowed = MAX_CATCH_UPS;
  #allowedAt = 0;

  constructor(
    link: NatsLink,
    private readonly settings: NatsSettings,
  ) {
    this.names = new Names(settings.prefix);
    this.#anchorSubject = `${this.names.log}.anchor`;
    const { replicas, storage, maxAge, maxBytes, headAge } = settings;
    const common = { storage, num_replicas: replicas } as const;
    this.log = new NatsStream(link, {
      ...common,
      name: this.names.log,
      subjects: [`${this.names.log}.>`],
      max_age: ageOf(maxAge),
      max_bytes: maxBytes === Infinity ? -1 : maxBytes,
      // The oldest of one channel would be gone without a trace that readers see; histories are cut otherwise.
      max_msgs_per_subject: -1,
      duplicate_window: PUBLISH_ID_MEMORY * NANOSECONDS,
      republish: { src: `${this.names.log}.>`, dest: `${this.names.live}.>` },
    });
    this.heads = new NatsStream(link, {
      ...common,
      name: this.names.heads,
      subjects: [`${this.names.heads}.>`],
      max_age: ageOf(headAge),
      max_bytes: HEADS_BYTES,
      max_msgs_per_subject: 1,
    });
  }

  /** Makes the streams, or gives them the limits of the options. @throws SseError `BACKPLANE_FAILED` */
  async open(): Promise<void> {
    await this.log.open();
    await this.heads.open();
  }

  /** Sees to it that the streams are there, and that their leaders know all that was stored. */
  async look(): Promise<void> {
    await Promise.all([this.log.infoOrMake(), this.heads.infoOrMake()]);
    await this.#catchUp();
    await this.#renewAnchor();
  }

  /** Resolves when the leaders have all that was stored before the call. */
  catchUp(): Promise<void> {
    // One that is under way may have begun too early for who asks now; the next is for all who do until it begins.
    return (this.#nextCatchUp ??= this.#catchUps.run(async () => {
      await this.#allowance();
      this.#nextCatchUp = undefined;
      await this.#catchUp();
    }));
  }

  async #catchUp(): Promise<void> {
    const [time] = await Promise.all([this.log.caughtUp(), this.heads.caughtUp()]);
    this.#clock.observe(time);
  }

  /** Strangers who invent positions are not to fill the stream. */
  async #allowance(): Promise<void> {
    const now = performance.now();
    this.#allowed = Math.min(MAX_CATCH_UPS, this.#allowed + (now - this.#allowedAt) / 1_000);
    this.#allowedAt = now;
    if (this.#allowed < 1) await delay(1_000, undefined, { ref: false });
    this.#allowed--;
  }

  /** The server's time, in milliseconds since 1970. */
  now(): number {
    return this.#clock.in(0);
  }

  async record(token: string): Promise<KeptRecord> {
    const kept = await this.heads.newest(this.names.head(token));
    return kept ? decodeRecord(kept.seq, kept.text) : { seq: 0 };
  }

  /** Puts a record in the place of the one that was known. Rejects with a conflict if there is another by now. */
  async replaceRecord(token: string, record: HeadRecord, known: KeptRecord): Promise<void> {
    await this.heads.publish(this.names.head(token), encodeRecord(record), { expected: known.seq });
  }

  /** The message at a position, if it is that very one. */
  async messageAt({ offset, mark }: Position): Promise<Kept | undefined> {
    const kept = await this.log.message(offset);
    const message = kept && decodeMessage(kept.seq, kept.text);
    return message?.mark === mark ? message : undefined;
  }

  /**
   * A message that a position of nothing yet may name. Who finds, after that, that a channel is not there has read
   * nothing of what the channel is going to have. It is written once in a while and not for each reader, and is never
   * deleted but by the limits of the stream: while it is there, they have let go of nothing that came after it.
   */
  get anchor(): Kept {
    return this.#anchor as Kept;
  }

  /**
   * The position of nothing yet of a channel that is not there.
   *
   * @param ended what ended the channel's last log
   * @param asked the anchor as it was before the channel was looked for
   * @returns undefined if the anchor was of no use and is another now
   */
  async nothingYet(ended: Position | undefined, asked: Kept): Promise<Position | undefined> {
    const isAfter = (ended?.offset ?? 0) <= asked.offset;
    if (isAfter && (await this.messageAt(asked)) && (await this.isFresh(asked))) return beginAt(asked);
    if (isSamePosition(asked, this.#anchor)) await this.#renewAnchor(ended);
    return undefined;
  }

  /** The message that a position of offset 0 names, if it is there. */
  async begin(position: Position): Promise<Kept | undefined> {
    const named = messageOf(position);
    return named && this.messageAt(named);
  }

  /** Whether the stream is going to keep a message for some time, as far as can be told. */
  async isFresh({ offset, at }: Kept): Promise<boolean> {
    const { maxAge, maxBytes } = this.settings;
    const { state } = await this.log.info();
    const bytesEach = state.bytes / Math.max(1, state.messages);
    const used = ((state.last_seq - offset) * bytesEach) / maxBytes;
    return used < FRESH && (this.now() - at) / maxAge < FRESH;
  }

  async #renewAnchor(ended?: Position): Promise<void> {
    // Another instance may have written one.
    const newest = await this.log.newest(this.#anchorSubject);
    const kept = newest && decodeMessage(newest.seq, newest.text);
    if (kept && kept.offset >= (ended?.offset ?? 0) && (await this.isFresh(kept))) {
      this.#anchor = kept;
      return;
    }
    const made = anchor(this.now());
    const { seq } = await this.log.publish(this.#anchorSubject, encodeMessage(made));
    this.#anchor = { ...made, offset: seq };
  }
}

const ageOf = (milliseconds: number): number => (milliseconds === Infinity ? 0 : milliseconds * NANOSECONDS);
