import { Logger } from '@nestjs/common';
import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import {
  connect,
  type Msg,
  type NatsConnection,
  type NodeConnectionOptions,
  type Subscription,
} from '@nats-io/transport-node';
import { SseError } from '../../sse.errors.js';
import { Disconnected } from './nats-errors.js';
import type { NatsSettings } from './nats.options.js';
import { Publications } from './publications.js';

/** Who is told of the connection. */
export interface LinkWatcher {
  up(): void;
  down(): void;
}

/**
 * What holds for a connection of ours unless its options say otherwise. One that does not answer pings for
 * 15 s is given up: what is written meanwhile waits in memory.
 */
const OURS: NodeConnectionOptions = {
  name: 'nestjs-sse-hub',
  timeout: 5_000,
  pingInterval: 5_000,
  reconnectTimeWait: 250,
  noAsyncTraces: true,
};

/** Milliseconds that the server is given for what is no publishing. It is asked again then: another may answer. */
const API_TIMEOUT = 5_000;

/** One connection to a server with JetStream, and whether it is up. */
export class NatsLink {
  /** Ends the wait of those who have no answer yet. */
  readonly #unanswered = new Set<(error: Error) => void>();
  #watcher: LinkWatcher | undefined;
  readonly publications: Publications;
  #isUp = true;
  readonly #subscriptions = new Set<Subscription>();

  private constructor(
    readonly connection: NatsConnection,
    private readonly isOurs: boolean,
    readonly js: JetStreamClient,
    readonly jsm: JetStreamManager,
    publishTimeout: number,
  ) {
    this.publications = new Publications(connection, publishTimeout);
    void this.#follow();
  }

  /** @throws SseError `BACKPLANE_FAILED` */
  static async open({ connection: given, publishTimeout }: NatsSettings): Promise<NatsLink> {
    const isOurs = !isConnection(given);
    const connection = isOurs ? await connected(given) : given;
    try {
      checkVersion(connection);
      const options = { timeout: API_TIMEOUT };
      const jsm = await jetstreamManager(connection, { ...options, checkAPI: false });
      return new NatsLink(connection, isOurs, jetstream(connection, options), jsm, publishTimeout);
    } catch (error) {
      if (isOurs) await connection.close();
      throw error;
    }
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  watch(watcher: LinkWatcher): void {
    this.#watcher = watcher;
  }

  /** The answer to a request; rejects with {@link Disconnected} when there cannot be one any more. */
  answer<T>(request: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#unanswered.add(reject);
      const settled = (): unknown => this.#unanswered.delete(reject);
      request.then(resolve, reject).finally(settled).catch(settled);
    });
  }

  /**
   * Is told of what is published on a subject, also after a reconnect.
   *
   * @returns ends that
   */
  subscribe(subject: string, listener: (message: Msg) => void): () => void {
    const subscription = this.connection.subscribe(subject, {
      callback: (error, message) => {
        if (!error) listener(message);
      },
    });
    this.#subscriptions.add(subscription);
    return () => {
      this.#subscriptions.delete(subscription);
      subscription.unsubscribe();
    };
  }

  /** Resolves when all that the server had sent before was told. */
  heard(): Promise<void> {
    return this.answer(this.connection.flush());
  }

  /** What has no answer yet gets none any more: who was to answer is gone. */
  giveUp(): void {
    this.publications.lost();
    for (const reject of this.#unanswered) reject(new Disconnected());
    this.#unanswered.clear();
  }

  async close(): Promise<void> {
    this.#watcher = undefined;
    this.giveUp();
    this.publications.close();
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    if (this.isOurs) await this.connection.close();
  }

  async #follow(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === 'disconnect' || status.type === 'close') {
        this.#isUp = false;
        this.giveUp();
        this.#watcher?.down();
      } else if (status.type === 'reconnect') {
        this.#isUp = true;
        this.#watcher?.up();
      } else if (status.type === 'error') {
        new Logger('SseHub').warn(`NATS says: ${status.error.message}`);
      }
    }
  }
}

function isConnection(given: NodeConnectionOptions | NatsConnection): given is NatsConnection {
  return 'publish' in given && typeof given.publish === 'function';
}

async function connected(options: NodeConnectionOptions): Promise<NatsConnection> {
  try {
    return await connect({
      ...OURS,
      ...options,
      // At the start a server that is not there is told of at once; later it is waited for, for ever.
      waitOnFirstConnect: false,
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      noEcho: false,
    });
  } catch (error) {
    const { message, name } = error as Error;
    const servers = String(options.servers ?? `127.0.0.1:${options.port ?? 4222}`).replace(
      /\/\/[^@/]*@/g,
      '//',
    );
    if (name === 'AuthorizationError' || name === 'UserAuthenticationExpiredError') {
      throw failed(
        `NATS at ${servers} refuses the credentials (${message}). Check those of the connection.`,
        error,
      );
    }
    throw failed(`NATS cannot be reached at ${servers} (${message}). Check the connection's servers.`, error);
  }
}

function checkVersion({ info }: NatsConnection): void {
  if (!info) throw failed('The connection to NATS that was given is not connected. Connect it first.');
  const [major = 0, minor = 0] = info.version.split('.').map(Number);
  if (major < 2 || (major === 2 && minor < 9))
    throw failed(`The NATS server has version ${info.version}, at least 2.9 is needed. Update it.`);
}

export function failed(message: string, cause?: unknown): SseError {
  return new SseError('BACKPLANE_FAILED', message, { cause });
}
