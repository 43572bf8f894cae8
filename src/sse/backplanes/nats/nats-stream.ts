import {
  AckPolicy,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type PubAck,
  type StreamInfo,
} from '@nats-io/jetstream';
import { PUBLISH_ID_MEMORY } from '../../hub/backplane.js';
import { failed, type NatsLink } from './nats-link.js';
import { isNobodyThere } from './nats-errors.js';
import type { NatsSettings } from './nats.options.js';
import { Subjects } from './subjects.js';

const NANOSECONDS = 1_000_000;

/** Messages that a consumer is asked for at once. */
const BATCH = 500;

/** Milliseconds after which the server lets go of a consumer that is not read, if its deletion was lost. */
const IDLE = 5_000;

/** The stream that keeps the logs of all channels. Every call rejects as soon as the connection is lost. */
export class NatsStream {
  readonly subjects: Subjects;
  readonly #name: string;

  constructor(
    readonly link: NatsLink,
    private readonly settings: NatsSettings,
  ) {
    this.subjects = new Subjects(settings.prefix);
    this.#name = settings.prefix;
  }

  /** Makes the stream, or gives it the limits of the options. @throws SseError `BACKPLANE_FAILED` */
  async open(): Promise<void> {
    const config = this.#config();
    try {
      await this.infoOrMake();
      await this.link.answer(this.link.jsm.streams.update(this.#name, config));
    } catch (error) {
      const { message } = error as Error;
      if (isNobodyThere(error))
        throw failed(
          'The NATS server has no JetStream. Start it with -js, or enable it for the account.',
          error,
        );
      throw failed(
        `NATS does not keep the stream "${this.#name}" as it is configured (${message}). Change the options or the server's limits.`,
        error,
      );
    }
  }

  async infoOrMake(): Promise<StreamInfo> {
    const { streams } = this.link.jsm;
    try {
      return await this.info();
    } catch (error) {
      const isGone = error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;
      if (!isGone) throw error;
      return this.link.answer(streams.add(this.#config())).catch((refusal: unknown) =>
        // Another instance may have been faster.
        this.info().catch(() => {
          throw refusal;
        }),
      );
    }
  }

  info(): Promise<StreamInfo> {
    return this.link.answer(this.link.jsm.streams.info(this.#name));
  }

  publish(subject: string, text: string, publishId?: string): Promise<PubAck> {
    return this.link.publications.publish(subject, text, publishId);
  }

  /** Publishes if the newest message of the subject is still the one that was known; 0 is none. */
  async replace(subject: string, text: string, known: number): Promise<number> {
    const expect = { lastSubjectSequence: known };
    const { seq } = await this.link.answer(this.link.js.publish(subject, text, { expect }));
    // The one before is of no use. Where this fails, the next time does it, or the stream's limits.
    if (known > 0) this.purge(subject, seq - 1).catch(() => undefined);
    return seq;
  }

  /** The newest message of a subject. */
  async newest(subject: string): Promise<{ readonly seq: number; readonly text: string } | undefined> {
    // Of the leader: replicas, which answer direct requests, may be behind.
    const { streams } = this.link.jsm;
    const kept = await this.link.answer(streams.getMessage(this.#name, { last_by_subj: subject }));
    return kept ? { seq: kept.seq, text: kept.string() } : undefined;
  }

  /** The message of a sequence. */
  async message(seq: number): Promise<string | undefined> {
    const kept = await this.link.answer(this.link.jsm.streams.getMessage(this.#name, { seq }));
    return kept?.string();
  }

  /** Deletes what a subject has up to a sequence. */
  async purge(subject: string, upTo: number): Promise<void> {
    await this.link.answer(this.link.jsm.streams.purge(this.#name, { filter: subject, seq: upTo + 1 }));
  }

  async deleteMessage(seq: number): Promise<void> {
    await this.link.answer(this.link.jsm.streams.deleteMessage(this.#name, seq, false));
  }

  /**
   * Hands over what a subject has after a sequence, up to what it had when this began: by a consumer that
   * is there for as long as that takes.
   *
   * @returns whether that was all; else something was deleted meanwhile
   */
  async readAfter(seq: number, subject: string, next: (seq: number, text: string) => void): Promise<boolean> {
    const { js, jsm } = this.link;
    const made = await this.link.answer(
      jsm.consumers.add(this.#name, {
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: seq + 1,
        // One string: servers before 2.10 know no list.
        filter_subject: subject,
        ack_policy: AckPolicy.None,
        inactive_threshold: IDLE * NANOSECONDS,
        mem_storage: true,
        num_replicas: 1,
      }),
    );
    try {
      const consumer = js.consumers.getConsumerFromInfo(made);
      let left = made.num_pending;
      while (left > 0) {
        const batch = await consumer.fetch({ max_messages: Math.min(left, BATCH), expires: 1_000 });
        let count = 0;
        const read = async (): Promise<void> => {
          for await (const message of batch) {
            count++;
            next(message.seq, message.string());
          }
        };
        await this.link.answer(read()).finally(() => {
          batch.stop();
        });
        if (count === 0) return false;
        left -= count;
      }
      return true;
    } finally {
      jsm.consumers.delete(this.#name, made.name).catch(() => undefined);
    }
  }

  #config() {
    const { maxAge, maxBytes, replicas, storage } = this.settings;
    return {
      name: this.#name,
      subjects: [this.subjects.stored],
      storage,
      num_replicas: replicas,
      max_age: maxAge === Infinity ? 0 : maxAge * NANOSECONDS,
      max_bytes: maxBytes === Infinity ? -1 : maxBytes,
      // The oldest of one channel would be gone without a trace that readers see; histories are cut otherwise.
      max_msgs_per_subject: -1,
      duplicate_window: PUBLISH_ID_MEMORY * NANOSECONDS,
      republish: { src: this.subjects.stored, dest: this.subjects.live },
    };
  }
}
