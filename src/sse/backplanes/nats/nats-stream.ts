import {
  AckPolicy,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type MsgRequest,
  type PubAck,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';
import { isNobodyThere } from './nats-errors.js';
import { pull, type PulledMessage } from './pull.js';
import { failed, type NatsLink } from './nats-link.js';
import type { PublishOptions } from './publications.js';

const NANOSECONDS = 1_000_000;

/** Messages that a consumer is asked for at once. */
const BATCH = 500;

/** Milliseconds after which the server lets go of a consumer that is not read, if its deletion was lost. */
const IDLE = 5_000;

export interface StreamMessage {
  readonly seq: number;
  readonly text: string;
  /** When it was stored, by the server's clock, in milliseconds since 1970. */
  readonly time: number;
}

export type NatsStreamConfig = Partial<StreamConfig> & Pick<StreamConfig, 'name' | 'subjects'>;

/**
 * One stream of JetStream. Every call is answered by its leader, and rejects as soon as the connection is lost.
 *
 * No single message is ever deleted: when that was the newest of its subject, a server before 2.10 says of the
 * subject that it has none.
 */
export class NatsStream {
  readonly #name: string;
  /** The one subject of what {@link caughtUp} writes. */
  readonly #barrier: string;

  constructor(
    private readonly link: NatsLink,
    private readonly config: NatsStreamConfig,
  ) {
    this.#name = config.name;
    this.#barrier = `${config.name}.barrier`;
  }

  /** Makes the stream, or gives it the limits of the options. @throws SseError `BACKPLANE_FAILED` */
  async open(): Promise<void> {
    try {
      await this.infoOrMake();
      await this.link.answer(this.link.jsm.streams.update(this.#name, this.config));
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
      return this.link.answer(streams.add(this.config)).catch((refusal: unknown) =>
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

  publish(subject: string, text: string, options?: PublishOptions): Promise<PubAck> {
    return this.link.publications.publish(subject, text, options);
  }

  /**
   * Resolves when the leader has all that was stored before the call, with the server's time. A leader that was
   * elected a moment ago may answer without; but it acknowledges what is written only in its order.
   *
   * What this writes is left to the limits of the stream: deletions of part of a stream are the less safe the more
   * there are, as `natsBackplane()` says.
   */
  async caughtUp(): Promise<number> {
    const { seq } = await this.publish(this.#barrier, '');
    return (await this.message(seq))?.time ?? 0;
  }

  /** The newest message of a subject. */
  newest(subject: string): Promise<StreamMessage | undefined> {
    return this.#message({ last_by_subj: subject });
  }

  /** The message of a sequence. */
  message(seq: number): Promise<StreamMessage | undefined> {
    return this.#message({ seq });
  }

  /** Deletes what a subject has up to a sequence. */
  async purge(subject: string, upTo: number): Promise<void> {
    await this.link.answer(this.link.jsm.streams.purge(this.#name, { filter: subject, seq: upTo + 1 }));
  }

  /**
   * All that a subject has from a sequence on, up to what it has when this begins.
   *
   * It is read by a consumer, that some server of the cluster has: one that was killed may lack what the leader has,
   * also when the leader says that it is up to date (2.9.10). So the leader is asked what comes first, and for all of
   * it, one by one, if that is something else.
   *
   * @returns undefined if something was deleted meanwhile, so that it may be missing in the midst
   */
  async read(subject: string, from: number): Promise<readonly PulledMessage[] | undefined> {
    for (const read of [await this.#consume(subject, from), undefined]) {
      const messages = read ?? (await this.#walk(subject, from));
      const first = await this.#message({ seq: Math.max(from, 1), next_by_subj: subject });
      if (first?.seq === messages[0]?.seq) return messages;
    }
    return undefined;
  }

  async #walk(subject: string, from: number): Promise<PulledMessage[]> {
    const read: PulledMessage[] = [];
    for (let seq = from; ; seq = (read.at(-1) as PulledMessage).seq + 1) {
      const next = await this.#message({ seq: Math.max(seq, 1), next_by_subj: subject });
      if (!next) return read;
      read.push(next);
    }
  }

  /** @returns undefined if the server does not answer, as one before 2.10 does if all was deleted meanwhile */
  async #consume(subject: string, from: number): Promise<PulledMessage[] | undefined> {
    const { jsm, connection } = this.link;
    const made = await this.link.answer(
      jsm.consumers.add(this.#name, {
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: Math.max(from, 1),
        // One string: servers before 2.10 know no list.
        filter_subject: subject,
        ack_policy: AckPolicy.None,
        inactive_threshold: IDLE * NANOSECONDS,
        mem_storage: true,
        num_replicas: 1,
      }),
    );
    const read: PulledMessage[] = [];
    try {
      let left = made.num_pending;
      while (left > 0) {
        const size = Math.min(left, BATCH);
        const batch = await this.link.answer(pull(connection, this.#name, made.name, size));
        if (!batch) return undefined;
        read.push(...batch);
        left = batch.length < size ? 0 : left - size;
      }
      return read;
    } finally {
      jsm.consumers.delete(this.#name, made.name).catch(() => undefined);
    }
  }

  async #message(query: MsgRequest | NextRequest): Promise<StreamMessage | undefined> {
    // Of the leader: replicas, which answer direct requests, may be behind.
    const { streams } = this.link.jsm;
    const kept = await this.link.answer(streams.getMessage(this.#name, query));
    return kept ? { seq: kept.seq, text: kept.string(), time: kept.time.getTime() } : undefined;
  }
}

/** Asks for the first message of a subject from a sequence on: the client's types have it for direct requests alone. */
interface NextRequest {
  readonly seq: number;
  readonly next_by_subj: string;
}
