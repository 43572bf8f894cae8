import { setTimeout as delay } from 'node:timers/promises';
import { nanos } from '@nats-io/transport-node';
import { PUBLISH_ID_MEMORY } from '../../log/backplane.js';
import type { Connection } from '../common/remote-logs.js';
import { LowerBoundClock } from '../common/server-clock.js';
import { coalesced, giveUpAfter } from '../common/tasks.js';
import type { JetStreamConnection } from './connection.js';
import { encodeRecord, lastTokenOf, namesOf, type HeadRecord, type Names } from './layout.js';
import { NatsStream } from './nats-stream.js';
import type { NatsSettings } from './nats.options.js';

/** Bytes of the heads stream: about two million channels. */
const HEADS_BYTES = 256 * 1024 ** 2;

/** Catch-ups of the leaders that may follow on each other at once. Further ones are made once a second. */
const MAX_CATCH_UPS = 100;

/** Milliseconds after which a look for the streams is given up, as a leader may be gone, and between two looks. */
const LOOK = 2_000;
const RETRY = 250;

/**
 * The log stream and the heads stream, whether they are there, and the server's clock. `index.ts` says what they hold.
 *
 *           connection lost, or closed          reconnect, leader elected, stream is another, nobody answers
 *   there ─────────────────────────────▶ away        there, away ──────────▶ looking ──────────▶ there
 *                                                                      the streams are there, and their leaders know all
 *
 * Calls are made only while they are `there`, as `RemoteLogs` says. A leader that was elected a moment ago may answer
 * before it knows all that was acknowledged. So an answer that misses something is believed only after the leader has
 * proved that it knows all: see {@link catchUp}.
 */
export class NatsStore {
  readonly names: Names;
  readonly log: NatsStream;
  readonly heads: NatsStream;
  readonly #clock = new LowerBoundClock();
  #phase: 'away' | 'looking' | 'there' = 'there';
  #changed: ((connection: Connection) => void) | undefined;
  #allowed = MAX_CATCH_UPS;
  #allowedAt = 0;

  constructor(
    readonly connection: JetStreamConnection,
    readonly settings: NatsSettings,
  ) {
    const { prefix, replicas, storage, maxAge, maxBytes, headAge } = settings;
    this.names = namesOf(prefix);
    const common = { storage, num_replicas: replicas } as const;
    this.log = new NatsStream(connection, {
      ...common,
      name: this.names.log,
      subjects: [`${this.names.log}.>`],
      max_age: ageOf(maxAge),
      max_bytes: maxBytes === Infinity ? -1 : maxBytes,
      // The server would delete the oldest of a channel without a trace that readers see; Trim cuts histories.
      max_msgs_per_subject: -1,
      duplicate_window: nanos(PUBLISH_ID_MEMORY),
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

  get isThere(): boolean {
    return this.#phase === 'there';
  }

  /** Makes the streams, or gives them the limits of the options. @throws SseError `BACKPLANE_FAILED` */
  async open(): Promise<void> {
    await this.log.open();
    await this.heads.open();
    await this.#leadersCatchUp();
  }

  /** As `RemoteLogs.watch`. */
  watch(changed: (connection: Connection) => void): Connection {
    this.#changed = changed;
    // A new leader may answer before it knows all, and the one before does not answer any more.
    this.connection.subscribe('$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.*', ({ subject }) => {
      const name = lastTokenOf(subject);
      if (name !== this.names.log && name !== this.names.heads) return;
      this.connection.giveUp();
      this.lookAgain();
    });
    this.connection.watch((isUp) => (isUp ? this.lookAgain() : this.#away()));
    if (this.connection.isUp) return 'up';
    this.#phase = 'away';
    return 'away';
  }

  /** To be called when the streams may be gone or others, or when their leaders may not know all. */
  lookAgain(): void {
    // A reconnect leads to another look.
    if (this.#phase === 'looking' || !this.connection.isUp) return;
    this.#away();
    this.#phase = 'looking';
    void this.#look();
  }

  /** Resolves when the leaders have all that was stored before the call. */
  readonly catchUp = coalesced(async () => {
    await this.#allowance();
    await this.#leadersCatchUp();
  });

  /** The server's time, in milliseconds since 1970. */
  now(): number {
    return this.#clock.in(0);
  }

  /** Replaces the head record of a channel. Rejects with a conflict if its sequence is another by now. */
  async replaceRecord(token: string, record: HeadRecord, expected: number): Promise<void> {
    await this.heads.publish(this.names.head(token), encodeRecord(record), { expected });
  }

  close(): Promise<void> {
    this.#phase = 'away';
    return this.connection.close();
  }

  #away(): void {
    this.#phase = 'away';
    this.#changed?.('away');
  }

  async #look(): Promise<void> {
    // JetStream is there some time after the server. After a loss of the connection there may be two looks.
    while (this.#phase === 'looking') {
      const isSeen = await giveUpAfter(LOOK, () => this.#ensure()).then(
        () => true,
        () => false,
      );
      if (!isSeen) await delay(RETRY, undefined, { ref: false });
      else if (this.#phase === 'looking') {
        this.#phase = 'there';
        this.#changed?.('up');
      }
    }
  }

  async #ensure(): Promise<void> {
    await Promise.all([this.log.ensure(), this.heads.ensure()]);
    await this.#leadersCatchUp();
  }

  async #leadersCatchUp(): Promise<void> {
    const [time] = await Promise.all([this.log.catchUp(), this.heads.catchUp()]);
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
}

const ageOf = (milliseconds: number): number => (milliseconds === Infinity ? 0 : nanos(milliseconds));
