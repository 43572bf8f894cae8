import { setTimeout as delay } from 'node:timers/promises';
import {
  AckPolicy,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type MsgRequest,
  type PubAck,
  type StreamConfig,
  type StreamInfo,
  type StreamInfoRequestOptions,
} from '@nats-io/jetstream';
import { nanos, type Msg } from '@nats-io/transport-node';
import type { JetStreamConnection, PublishOptions } from './connection.js';
import { Changed, failed, isNotTaken, NotTaken } from './errors.js';

/** Messages that a consumer is asked for at once. */
const BATCH = 500;

/** Milliseconds after which the server deletes a consumer that is not read, if our deletion was lost. */
const IDLE = 5_000;

/** Milliseconds within which a consumer sends the first message. */
const PATIENCE = 1_000;

/** Milliseconds for which making a missing stream is tried, and between two attempts. */
const MAKING = 2_000;
const PAUSE = 50;

export interface StreamMessage {
  readonly seq: number;
  readonly text: string;
}

interface TimedMessage extends StreamMessage {
  /** When it was stored, by the server's clock, in milliseconds since 1970. */
  readonly time: number;
}

export type NatsStreamConfig = Partial<StreamConfig> & Pick<StreamConfig, 'name' | 'subjects'>;

/**
 * One stream of JetStream. Every call is answered by the stream's leader, and rejects as soon as the connection is
 * lost.
 *
 * A server before 2.10 says that a subject has no message when its newest was deleted by {@link delete}. So only
 * messages that are alone on their subject may be deleted by it.
 */
export class NatsStream {
  /** When the stream was found to be made anew: `performance.now()`. */
  remadeAt = -Infinity;
  readonly #name: string;
  /** When the server made the stream. */
  /** The losses of the connection when it was seen last that the stream has messages. */
  #readableSince: number | undefined;
  #created: string | undefined;

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
  async ensure(): Promise<void> {
    const { created } = (await orNoStream(this.info())) ?? (await this.#make());
    if (this.#created !== undefined && this.#created !== created) this.remadeAt = performance.now();
    this.#created = created;
  }

  info(options?: Partial<StreamInfoRequestOptions>): Promise<StreamInfo> {
    return this.connection.request(() => this.#streams.info(this.#name, options));
  }

  /** The subjects that match a filter and have a message. */
  async subjects(filter: string): Promise<string[]> {
    const { state } = await this.info({ subjects_filter: filter });
    return Object.keys(state.subjects ?? {});
  }

  publish(subject: string, text: string, options?: PublishOptions): Promise<PubAck> {
    return this.connection.publish(subject, text, options);
  }

  /** Publishes, also to a stream that is not there. One that another instance has just made takes nothing for a moment. */
  async publishOrMake(subject: string, text: string): Promise<PubAck> {
    const until = performance.now() + MAKING;
    for (;;) {
      try {
        return await this.publish(subject, text);
      } catch (error) {
        if (!(error instanceof NotTaken) || performance.now() > until) throw error;
        await this.ensure();
        await delay(PAUSE);
      }
    }
  }

  /**
   * Resolves when the leader has all that was stored before the call, with the server's time. A leader that was
   * elected a moment ago may answer before it has; but it acknowledges a message only after all those before.
   *
   * The message that this writes is not deleted but left to the limits of the stream: servers were seen to lose events
   * after deletions, as `natsBackplane()` says.
   */
  async catchUp(): Promise<number> {
    const { seq } = await this.publish(`${this.#name}.barrier`, '');
    return (await this.message(seq))?.time ?? 0;
  }

  /** The newest message of a subject. */
  newest(subject: string): Promise<TimedMessage | undefined> {
    return this.#message({ last_by_subj: subject });
  }

  /** The message of a sequence. */
  message(seq: number): Promise<TimedMessage | undefined> {
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
   * The messages of a subject from a sequence on, up to one that it has, and perhaps some more.
   *
   * They are read by a consumer, which runs on any server of the cluster: one that was killed may lack messages that
   * the leader has, also when the leader says that it is up to date (2.9.10). So the leader is asked for the first
   * message, and if that is another or the last is missing, for all of them, one by one.
   *
   * @throws Changed if something was deleted meanwhile, so that there may be a hole
   */
  async read(subject: string, from: number, upTo: number): Promise<readonly StreamMessage[]> {
    for (const reading of [() => this.#consume(subject, from), () => this.#walk(subject, from)]) {
      const read = await reading();
      const first = await this.#next(subject, from);
      if (first?.seq === read[0]?.seq && (read.at(-1)?.seq ?? 0) >= upTo) return read;
    }
    throw new Changed('some of its messages were deleted');
  }

  async #walk(subject: string, from: number): Promise<StreamMessage[]> {
    const read: StreamMessage[] = [];
    for (let next = await this.#next(subject, from); next; next = await this.#next(subject, next.seq + 1))
      read.push(next);
    return read;
  }

  #next(subject: string, from: number): Promise<StreamMessage | undefined> {
    // The client's types have this for direct requests alone.
    return this.#message({ seq: Math.max(from, 1), next_by_subj: subject } as MsgRequest);
  }

  /** All at once, where {@link #walk} asks for one by one. The newest may be missing. */
  async #consume(subject: string, from: number): Promise<StreamMessage[]> {
    const { consumers } = this.connection.jsm;
    const options = {
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Math.max(from, 1),
      // One string: servers before 2.10 know no list.
      filter_subject: subject,
      ack_policy: AckPolicy.None,
      inactive_threshold: nanos(IDLE),
      mem_storage: true,
      num_replicas: 1,
    };
    const { name, num_pending } = await this.connection.request(() => consumers.add(this.#name, options));
    const read: StreamMessage[] = [];
    try {
      while (read.length < num_pending) {
        const size = Math.min(num_pending - read.length, BATCH);
        const batch = await this.connection.request(() => this.#pull(name, size));
        read.push(...batch);
        if (batch.length < size) break;
      }
      return read;
    } finally {
      consumers.delete(this.#name, name).catch(() => undefined);
    }
  }

  /**
   * The next messages of a consumer: fewer than `count` if there are no more, or if the server does not answer, as one
   * before 2.10 does if all was deleted meanwhile. The client's `Consumer.fetch` would wait until its time is over for
   * messages that were deleted after the server had counted them, as a server before 2.10 goes on to count them.
   */
  async #pull(consumer: string, count: number): Promise<StreamMessage[]> {
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#name}.${consumer}`;
    const request = JSON.stringify({ batch: count, no_wait: true });
    const options = { strategy: 'stall', maxWait: PATIENCE, noMux: true } as const;
    const pulled: StreamMessage[] = [];
    try {
      for await (const message of await this.connection.nats.requestMany(subject, request, options)) {
        if (isStatus(message)) break;
        pulled.push({ seq: sequenceOfReply(message), text: message.string() });
        if (pulled.length === count) break;
      }
    } catch {
      // The consumer is gone.
    }
    return pulled;
  }

  async #message(query: MsgRequest): Promise<TimedMessage | undefined> {
    if (!(await this.#hasMessages())) return undefined;
    // A request to the leader: replicas, which answer direct requests, may be behind.
    const asked = this.connection.request(() => this.#streams.getMessage(this.#name, query));
    const stored = await asked.catch((error: unknown) => {
      // It may be gone, and made anew.
      this.#readableSince = undefined;
      throw error;
    });
    return stored ? { seq: stored.seq, text: stored.string(), time: stored.time.getTime() } : undefined;
  }

  /**
   * A server of version 2.9 crashes when it is asked for a message of a stream that it is making, or restores after its start: the
   * stream is listed before it has a store, and counts no messages until then.
   */
  async #hasMessages(): Promise<boolean> {
    const { losses } = this.connection;
    if (this.#readableSince === losses) return true;
    const { state } = await this.info();
    if (state.messages > 0) this.#readableSince = losses;
    return state.messages > 0;
  }

  async #make(): Promise<StreamInfo> {
    try {
      return await this.connection.request(() => this.#streams.add(this.config));
    } catch (refusal) {
      // Another instance may have been faster.
      return this.info().catch(() => Promise.reject(refusal as Error));
    }
  }

  get #streams() {
    return this.connection.jsm.streams;
  }
}

/** The answer; undefined if the stream is not there. */
export async function orNoStream<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound)
      return undefined;
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
