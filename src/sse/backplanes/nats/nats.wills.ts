import {
  JetStreamApiError,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import type { JetStreamClient, JetStreamManager, StreamConfig } from '@nats-io/jetstream';
import { RequestError, type NatsConnection } from '@nats-io/transport-node';
import { BEAT, type WillStore } from '../common/cluster-link.js';
import type { NatsClusterOptions } from './nats-cluster.link.js';

/** Milliseconds within which the server answers. */
const ANSWER_TIME = 2 * BEAT;

/** Codes of JetStream's errors. */
const NO_STREAM = 10059;
const NO_MESSAGE = 10037;

/**
 * Wills in NATS: each is the last message of its subject, in a stream that lets go of nothing by itself. The
 * stream is made when the first will is left.
 */
export class NatsWills implements WillStore {
  readonly #wills: string;
  readonly #stream: string;
  readonly #config: Partial<StreamConfig> & { name: string };
  readonly #decoder = new TextDecoder();
  #manager: Promise<JetStreamManager> | undefined;
  readonly #jetstream: JetStreamClient;

  constructor(
    private readonly connection: NatsConnection,
    prefix: string,
    { replicas = 1, storage = 'file' }: NatsClusterOptions = {},
  ) {
    this.#wills = `${prefix}-cluster.will`;
    this.#stream = `${prefix}-cluster-wills`.replaceAll(/[.\s*>/\\]/g, '_');
    this.#config = {
      name: this.#stream,
      subjects: [`${this.#wills}.*.*`],
      retention: RetentionPolicy.Limits,
      storage: storage === 'file' ? StorageType.File : StorageType.Memory,
      num_replicas: replicas,
      max_msgs_per_subject: 1,
    };
    this.#jetstream = jetstream(connection, { timeout: ANSWER_TIME });
  }

  async put(instance: string, id: string, text: string): Promise<void> {
    const subject = `${this.#wills}.${instance}.${id}`;
    try {
      await this.#jetstream.publish(subject, text, { timeout: ANSWER_TIME });
    } catch (error) {
      if (!isUnheard(error)) throw error;
      // Nobody takes it where there is no stream. Another instance may be making it at this moment.
      const { streams } = await this.#open();
      await streams.add(this.#config).catch(() => streams.info(this.#stream));
      await this.#jetstream.publish(subject, text, { timeout: ANSWER_TIME });
    }
  }

  async has(instance: string, id: string): Promise<boolean> {
    return (await this.#textOf(instance, id)) !== undefined;
  }

  async remove(instance: string, id: string): Promise<void> {
    const { streams } = await this.#open();
    await orNone(streams.purge(this.#stream, { filter: `${this.#wills}.${instance}.${id}` }));
  }

  async owners(): Promise<readonly string[]> {
    const names = await this.#namesOf(`${this.#wills}.*.*`);
    return [...new Set(names.map(([instance]) => instance))];
  }

  async of(instance: string): Promise<ReadonlyMap<string, string>> {
    const wills = new Map<string, string>();
    for (const [, id] of await this.#namesOf(`${this.#wills}.${instance}.*`)) {
      const text = await this.#textOf(instance, id);
      if (text !== undefined) wills.set(id, text);
    }
    return wills;
  }

  async #namesOf(filter: string): Promise<[instance: string, id: string][]> {
    const { streams } = await this.#open();
    const info = await orNone(streams.info(this.#stream, { subjects_filter: filter }));
    const subjects = Object.keys(info?.state.subjects ?? {});
    return subjects.map(
      (subject) => subject.slice(this.#wills.length + 1).split('.') as [instance: string, id: string],
    );
  }

  async #textOf(instance: string, id: string): Promise<string | undefined> {
    const { streams } = await this.#open();
    const query = { last_by_subj: `${this.#wills}.${instance}.${id}` };
    const message = await orNone(streams.getMessage(this.#stream, query));
    return message ? this.#decoder.decode(message.data) : undefined;
  }

  /** The client would keep a request until it has a connection again, which may be too late. */
  async #open(): Promise<JetStreamManager> {
    if (this.connection.isClosed()) throw new Error('there is no connection to NATS');
    return (this.#manager ??= jetstreamManager(this.connection, { checkAPI: false, timeout: ANSWER_TIME }));
  }
}

/** The answer; undefined where the stream or the message is not there. */
async function orNone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof JetStreamApiError && [NO_STREAM, NO_MESSAGE].includes(error.code)) return undefined;
    throw error;
  }
}

/** Whether nobody was there to take it. */
function isUnheard(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof RequestError && error.cause.isNoResponders();
}
