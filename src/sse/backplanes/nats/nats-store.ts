import { setTimeout as delay } from 'node:timers/promises';
import { PUBLISH_ID_MEMORY } from '../../log/backplane.js';
import type { Position } from '../../protocol/position.js';
import { ServerClock } from '../common/server-clock.js';
import { coalesced } from '../common/tasks.js';
import type { JetStreamConnection } from './connection.js';
import {
  decodeMessage,
  decodeRecord,
  encodeRecord,
  Names,
  type HeadRecord,
  type StoredMessage,
  type StoredRecord,
} from './layout.js';
import { NANOSECONDS, NatsStream } from './nats-stream.js';
import type { NatsSettings } from './nats.options.js';

/** Bytes of the heads stream: about two million channels. */
const HEADS_BYTES = 256 * 1024 ** 2;

/** How often in a row the leaders are made to catch up; beyond, once a second. */
const MAX_CATCH_UPS = 50;

/** The log stream and the heads stream, and the server's clock. `index.ts` says what they hold. */
export class NatsStore {
  readonly names: Names;
  readonly log: NatsStream;
  readonly heads: NatsStream;
  readonly #clock = new ServerClock();
  #allowed = MAX_CATCH_UPS;
  #allowedAt = 0;

  constructor(
    connection: JetStreamConnection,
    { prefix, replicas, storage, maxAge, maxBytes, headAge }: NatsSettings,
  ) {
    this.names = new Names(prefix);
    const common = { storage, num_replicas: replicas } as const;
    this.log = new NatsStream(connection, {
      ...common,
      name: this.names.log,
      subjects: [`${this.names.log}.>`],
      max_age: ageOf(maxAge),
      max_bytes: maxBytes === Infinity ? -1 : maxBytes,
      // The server would delete the oldest of a channel without a trace that readers see; Trim cuts histories.
      max_msgs_per_subject: -1,
      duplicate_window: PUBLISH_ID_MEMORY * NANOSECONDS,
      republish: { src: `${this.names.log}.>`, dest: `${this.names.live}.>` },
    });
    this.heads = new NatsStream(connection, {
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

  /** Makes sure that the streams are there, and that their leaders have all that was stored. */
  async ensure(): Promise<void> {
    await Promise.all([this.log.ensure(), this.heads.ensure()]);
    await this.#caughtUp();
  }

  /** Resolves when the leaders have all that was stored before the call. */
  readonly catchUp = coalesced(async () => {
    await this.#allowance();
    await this.#caughtUp();
  });

  async #caughtUp(): Promise<void> {
    const [time] = await Promise.all([this.log.caughtUp(), this.heads.caughtUp()]);
    this.#clock.observe(time);
  }

  /** Keeps strangers who invent positions from filling the stream with barriers. */
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

  async record(token: string): Promise<StoredRecord> {
    const stored = await this.heads.newest(this.names.head(token));
    return stored ? decodeRecord(stored.seq, stored.text) : { seq: 0 };
  }

  /** Replaces the record that was known. Rejects with a conflict if there is another by now. */
  async replaceRecord(token: string, record: HeadRecord, known: StoredRecord): Promise<void> {
    await this.heads.publish(this.names.head(token), encodeRecord(record), { expected: known.seq });
  }

  /** The message at a position; undefined if there is none, or another. */
  async messageAt({ offset, mark }: Position): Promise<StoredMessage | undefined> {
    const stored = await this.log.message(offset);
    const message = stored && decodeMessage(stored);
    return message?.mark === mark ? message : undefined;
  }
}

const ageOf = (milliseconds: number): number => (milliseconds === Infinity ? 0 : milliseconds * NANOSECONDS);
