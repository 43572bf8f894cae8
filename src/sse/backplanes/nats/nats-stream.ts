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
import { createInbox, type Msg } from '@nats-io/transport-node';
import type { JetStreamConnection } from './connection.js';
import { failed, isNotTaken } from './errors.js';
import type { PublishOptions } from './publications.js';

export const NANOSECONDS = 1_000_000;

/** Messages that a consumer is asked for at once. */
const BATCH = 500;

/** Milliseconds after which the server deletes a consumer that is not read, if our deletion was lost. */
const IDLE = 5_000;

/** Milliseconds between two messages of a consumer after which no more will come. */
const PATIENCE = 1_000;

export interface StreamMessage {
  readonly seq: number;
  readonly text: string;
  /** When it was stored, by the server's clock, in milliseconds since 1970. */
  readonly time: number;
}

type PulledMessage = Omit<StreamMessage, 'time'>;

export type NatsStreamConfig = Partial<StreamConfig> & Pick<StreamConfig, 'name' | 'subjects'>;

/**
 * One stream of JetStream. Every call is answered by the stream's leader, and rejects as soon as the connection is
 * lost.
 *
 * A server before 2.10 says that a subject has no message when its newest was deleted by {@link delete}. So that is
 * only for subjects of one message.
 */
export class NatsStream {
  readonly #name: string;

  constructor(
    private readonly connection: JetStreamConnection,
    private readonly config: NatsStreamConfig,
  ) {
    this.#name = config.name;
  }

  /** Makes the stream, or gives it the limits of the options. @throws SseError `BACKPLANE_FAILED` */
  async open(): Promise<void> {
    try {
      await this.ensure();
      await this.connection.request(() => this.#streams.update(this.#name, this.config));
    } catch (error) {
      throw failed(
        isNotTaken(error)
          ? 'The NATS server has no JetStream. Start it with -js, or enable it for the account.'
          : `NATS does not keep the stream "${this.#name}" as it is configured (${(error as Error).message}). Change the options or the server's limits.`,
        error,
      );
    }
  }

  /** Makes the stream if it is not there. */
  async ensure(): Promise<StreamInfo> {
    const info = await orUndefined(this.info(), JetStreamApiCodes.StreamNotFound);
    if (info) return info;
    return this.connection
      .request(() => this.#streams.add(this.config))
      .catch((refusal: unknown) =>
        // Another instance may have been faster.
        this.info().catch(() => {
          throw refusal;
        }),
      );
  }

  info(subjects?: string): Promise<StreamInfo> {
    const options = subjects === undefined ? undefined : { subjects_filter: subjects };
    return this.connection.request(() => this.#streams.info(this.#name, options));
  }

  /** The subjects that match a filter and have a message. */
  async subjects(filter: string): Promise<string[]> {
    const { state } = await this.info(filter);
    return Object.keys(state.subjects ?? {});
  }

  publish(subject: string, text: string, options?: PublishOptions): Promise<PubAck> {
    return this.connection.publish(subject, text, options);
  }

  /**
   * Resolves when the leader has all that was stored before the call, with the server's time. A leader that was
   * elected a moment ago may answer without; but it acknowledges what is written only in its order.
   *
   * The limits of the stream delete the message that this writes: deletions of part of a stream are the less safe the
   * more there are, as `natsBackplane()` says.
   */
  async caughtUp(): Promise<number> {
    const { seq } = await this.publish(`${this.#name}.barrier`, '');
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

  /** Deletes what a subject has, up to a sequence. */
  async purge(subject: string, upTo?: number): Promise<void> {
    const range = { filter: subject, ...(upTo !== undefined && { seq: upTo + 1 }) };
    await this.connection.request(() => this.#streams.purge(this.#name, range));
  }

  async delete(seq: number): Promise<void> {
    await this.connection.request(() => this.#streams.deleteMessage(this.#name, seq, false));
  }

  /**
   * All messages of a subject from a sequence on, up to those that it has when this begins.
   *
   * They are read by a consumer, which runs on any server of the cluster: one that was killed may lack messages that
   * the leader has, also when the leader says that it is up to date (2.9.10). So the leader is asked for the first
   * message, and if that is another, for all of them, one by one.
   *
   * @returns undefined if something was deleted meanwhile, so that there may be a hole
   */
  async read(subject: string, from: number): Promise<readonly PulledMessage[] | undefined> {
    for (const read of [await this.#consume(subject, from), undefined]) {
      const messages = read ?? (await this.#walk(subject, from));
      const first = await this.#next(subject, from);
      if (first?.seq === messages[0]?.seq) return messages;
    }
    return undefined;
  }

  async #walk(subject: string, from: number): Promise<PulledMessage[]> {
    const read: PulledMessage[] = [];
    for (let next = await this.#next(subject, from); next; next = await this.#next(subject, next.seq + 1))
      read.push(next);
    return read;
  }

  #next(subject: string, from: number): Promise<StreamMessage | undefined> {
    return this.#message({ seq: Math.max(from, 1), next_by_subj: subject });
  }

  /** @returns undefined if the server does not answer, as one before 2.10 does if all was deleted meanwhile */
  async #consume(subject: string, from: number): Promise<PulledMessage[] | undefined> {
    const { consumers } = this.connection.jsm;
    const options = {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Math.max(from, 1),
      // One string: servers before 2.10 know no list.
      filter_subject: subject,
      ack_policy: AckPolicy.None,
      inactive_threshold: IDLE * NANOSECONDS,
      mem_storage: true,
      num_replicas: 1,
    };
    const { name, num_pending } = await this.connection.request(() => consumers.add(this.#name, options));
    const read: PulledMessage[] = [];
    try {
      while (read.length < num_pending) {
        const size = Math.min(num_pending - read.length, BATCH);
        const batch = await this.connection.request(() => this.#pull(name, size));
        if (!batch) return undefined;
        read.push(...batch);
        if (batch.length < size) break;
      }
      return read;
    } finally {
      consumers.delete(this.#name, name).catch(() => undefined);
    }
  }

  /**
   * The next messages of a consumer: fewer than `count` if there are no more. The client's `Consumer.fetch` would wait
   * until its time is over for messages that were deleted after the server had counted them, as a server before 2.10
   * goes on to count them.
   *
   * @returns undefined if there was no answer
   */
  #pull(consumer: string, count: number): Promise<readonly PulledMessage[] | undefined> {
    const { nats } = this.connection;
    return new Promise((resolve) => {
      const reply = createInbox();
      const pulled: PulledMessage[] = [];
      const end = (messages: readonly PulledMessage[] | undefined): void => {
        clearTimeout(late);
        subscription.unsubscribe();
        resolve(messages);
      };
      const subscription = nats.subscribe(reply, {
        callback: (error, message) => {
          if (error || isStatus(message)) return end(error ? undefined : pulled);
          pulled.push({ seq: sequenceOfReply(message), text: message.string() });
          if (pulled.length === count) end(pulled);
          else late.refresh();
        },
      });
      const late = setTimeout(() => end(undefined), PATIENCE).unref();
      const request = JSON.stringify({ batch: count, no_wait: true });
      nats.publish(`$JS.API.CONSUMER.MSG.NEXT.${this.#name}.${consumer}`, request, { reply });
    });
  }

  async #message(query: MsgRequest | NextRequest): Promise<StreamMessage | undefined> {
    // A request to the leader: replicas, which answer direct requests, may be behind.
    const stored = await this.connection.request(() => this.#streams.getMessage(this.#name, query));
    return stored ? { seq: stored.seq, text: stored.string(), time: stored.time.getTime() } : undefined;
  }

  get #streams() {
    return this.connection.jsm.streams;
  }
}

/** Asks for the first message of a subject from a sequence on: the client's types have it for direct requests alone. */
interface NextRequest {
  readonly seq: number;
  readonly next_by_subj: string;
}

/** The answer; undefined instead of an error of JetStream with this code. */
export async function orUndefined<T>(answer: Promise<T>, code: JetStreamApiCodes): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === code) return undefined;
    throw error;
  }
}

/** There are no more messages, or no consumer. */
const isStatus = ({ headers, data }: Msg): boolean => data.length === 0 && (headers?.code ?? 0) > 0;

/** The sequence in the stream: the sixth token of nine, or, of servers that name the domain, the eighth. */
function sequenceOfReply({ reply = '' }: Msg): number {
  const tokens = reply.split('.');
  return Number(tokens.length > 9 ? tokens[7] : tokens[5]);
}
