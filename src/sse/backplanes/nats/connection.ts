import { Logger } from '@nestjs/common';
import {
  JetStreamApiError,
  jetstreamManager,
  PubHeaders,
  type ApiError,
  type JetStreamManager,
  type PubAck,
} from '@nats-io/jetstream';
import {
  connect,
  createInbox,
  headers,
  type Msg,
  type NatsConnection,
  type NodeConnectionOptions,
  type Subscription,
} from '@nats-io/transport-node';
import { LogLine } from '../../log-line.js';
import { failed, NoAnswer, NotTaken } from './errors.js';
import type { NatsSettings } from './nats.options.js';

const logger = new Logger('SseHub');

/**
 * Defaults of a connection that we open. One that does not answer pings for 15 s is given up: what is written
 * meanwhile waits in memory.
 */
const DEFAULTS: NodeConnectionOptions = {
  name: 'nestjs-sse-hub',
  timeout: 5_000,
  pingInterval: 5_000,
  reconnectTimeWait: 250,
  noAsyncTraces: true,
};

/** Milliseconds for the answer to a request other than a publication. Then it is sent again, perhaps to another server. */
const API_TIMEOUT = 5_000;

/** Milliseconds between two searches for publications that have waited too long. */
const EXPIRY = 500;

export interface PublishOptions {
  /** Makes a second attempt the same message. */
  readonly publishId?: string | undefined;
  /** The sequence of the newest message of the subject, 0 if there is none: otherwise it is a conflict. */
  readonly expected?: number | undefined;
}

/** A publication that has no acknowledgement yet. */
interface Unacknowledged {
  /** By `performance.now()`. */
  readonly until: number;
  readonly resolve: (ack: PubAck) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A connection to a server with JetStream: up, down until the client has reconnected, or closed.
 *
 * Nothing waits for an answer across a loss: what is unanswered when the connection goes down, or when `giveUp()`
 * says that a leader is gone, rejects with {@link NoAnswer}. Nothing is sent while it is down: the client would keep it
 * until it has a connection again, which may be too late. Subscriptions outlive a loss.
 *
 * All acknowledgements come on one subscription, at less than half of the cost of `JetStreamClient.publish`.
 */
export class JetStreamConnection {
  /** Times that the server was lost. */
  losses = 0;
  #state: 'up' | 'down' | 'closed' = 'up';
  #changed: ((isUp: boolean) => void) | undefined;
  readonly #subscriptions = new Set<Subscription>();
  /** The `reject` of each request that has no answer yet. */
  readonly #requests = new Set<(error: Error) => void>();
  readonly #inbox = createInbox();
  /** By reply subject, in the order in which they were sent, and in which their time will be over. */
  readonly #publications = new Map<string, Unacknowledged>();
  #sent = 0;
  readonly #expiring: NodeJS.Timeout;

  private constructor(
    readonly nats: NatsConnection,
    readonly jsm: JetStreamManager,
    private readonly publishTimeout: number,
    private readonly use: 'own' | 'shared',
  ) {
    this.subscribe(`${this.#inbox}.*`, (message) => this.#acknowledged(message));
    this.#expiring = setInterval(() => this.#expire(), EXPIRY).unref();
    void this.#follow();
  }

  /**
   * Connects, or uses the connection that the options give, which stays open.
   *
   * @throws SseError `BACKPLANE_FAILED`
   */
  static async open({ connection: given, publishTimeout }: NatsSettings): Promise<JetStreamConnection> {
    const isShared = isConnection(given);
    const nats = isShared ? given : await connected(given);
    try {
      checkVersion(nats);
      const timeouts = { publish: publishTimeout, request: API_TIMEOUT };
      return await JetStreamConnection.on(nats, timeouts, isShared ? 'shared' : 'own');
    } catch (error) {
      if (!isShared) await nats.close();
      throw error;
    }
  }

  /**
   * Shares a connection with others.
   *
   * @param timeouts milliseconds for the answers to publications and to other requests
   * @param use of a connection of its own {@link close} ends the connection, too
   */
  static async on(
    nats: NatsConnection,
    { publish, request }: { readonly publish: number; readonly request: number },
    use: 'own' | 'shared' = 'shared',
  ): Promise<JetStreamConnection> {
    const jsm = await jetstreamManager(nats, { timeout: request, checkAPI: false });
    return new JetStreamConnection(nats, jsm, publish, use);
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** Calls back whenever the connection goes up or down from now on. */
  watch(changed: (isUp: boolean) => void): void {
    this.#changed = changed;
  }

  /** @throws NoAnswer */
  request<T>(send: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!this.isUp) return reject(new NoAnswer('the connection was lost'));
      this.#requests.add(reject);
      void send()
        .then(resolve, reject)
        .finally(() => this.#requests.delete(reject));
    });
  }

  /** @throws NoAnswer, NotTaken, JetStreamApiError */
  publish(subject: string, text: string, { publishId, expected }: PublishOptions = {}): Promise<PubAck> {
    return new Promise((resolve, reject) => {
      if (!this.isUp) return reject(new NotTaken('there is no connection'));
      const reply = `${this.#inbox}.${(this.#sent++).toString(36)}`;
      if (publishId === undefined && expected === undefined) {
        this.nats.publish(subject, text, { reply });
      } else {
        const head = headers();
        if (publishId !== undefined) head.set(PubHeaders.MsgIdHdr, publishId);
        if (expected !== undefined) head.set(PubHeaders.ExpectedLastSubjectSequenceHdr, `${expected}`);
        this.nats.publish(subject, text, { reply, headers: head });
      }
      this.#publications.set(reply, { until: performance.now() + this.publishTimeout, resolve, reject });
    });
  }

  /**
   * Calls back with what is published on a subject, also after a reconnect.
   *
   * @returns ends that
   */
  subscribe(subject: string, receive: (message: Msg) => void): () => void {
    const subscription = this.nats.subscribe(subject, {
      callback: (error, message) => {
        if (!error) receive(message);
      },
    });
    this.#subscriptions.add(subscription);
    return () => {
      this.#subscriptions.delete(subscription);
      subscription.unsubscribe();
    };
  }

  /** Resolves when all that the server had sent before was received. */
  flush(): Promise<void> {
    return this.request(() => this.nats.flush());
  }

  /** Rejects everything unanswered, as the server or leader that was to answer is gone. */
  giveUp(): void {
    const lost = new NoAnswer('the connection was lost');
    for (const { reject } of this.#publications.values()) reject(lost);
    for (const reject of this.#requests) reject(lost);
    this.#publications.clear();
    this.#requests.clear();
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    clearInterval(this.#expiring);
    this.giveUp();
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    if (this.use === 'own') await this.nats.close();
  }

  #acknowledged(message: Msg): void {
    const publication = this.#publications.get(message.subject);
    if (!publication) return;
    this.#publications.delete(message.subject);
    if (message.data.length === 0) return publication.reject(new NotTaken('no stream is there'));
    const answer = message.json<PubAck & { readonly error?: ApiError }>();
    if (answer.error) publication.reject(new JetStreamApiError(answer.error));
    else publication.resolve(answer);
  }

  /** As a deadline (common/deadline.ts): first reads what has arrived. */
  #expire(): void {
    const now = performance.now();
    setImmediate(() => this.#expireAt(now));
  }

  #expireAt(now: number): void {
    for (const [reply, { until, reject }] of this.#publications) {
      if (until > now) return;
      this.#publications.delete(reply);
      reject(new NoAnswer('its time is over'));
    }
  }

  async #follow(): Promise<void> {
    for await (const status of this.nats.status()) {
      if (this.#state === 'closed') return;
      if (status.type === 'disconnect' || status.type === 'close') {
        const wasUp = this.#state === 'up';
        this.#state = 'down';
        this.losses++;
        if (wasUp) logger.warn(new LogLine('The connection to NATS is lost.'));
        this.giveUp();
        this.#changed?.(false);
      } else if (status.type === 'reconnect') {
        this.#state = 'up';
        logger.log(new LogLine('NATS is there again.'));
        this.#changed?.(true);
      } else if (status.type === 'error') {
        logger.warn(new LogLine(`NATS says: ${status.error.message}`));
      }
    }
  }
}

const isConnection = (given: NodeConnectionOptions | NatsConnection): given is NatsConnection =>
  'publish' in given && typeof given.publish === 'function';

async function connected(options: NodeConnectionOptions): Promise<NatsConnection> {
  try {
    return await connect({
      ...DEFAULTS,
      ...options,
      // The start fails at once without a server; later a server is waited for, for ever.
      waitOnFirstConnect: false,
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      noEcho: false,
    });
  } catch (error) {
    const { message, name } = error as Error;
    const given = String(options.servers ?? `127.0.0.1:${options.port ?? 4222}`);
    const servers = given.replace(/\/\/[^@/]*@/g, '//');
    const isRefused = name === 'AuthorizationError' || name === 'UserAuthenticationExpiredError';
    throw failed(
      isRefused
        ? `NATS at ${servers} refuses the credentials (${message}). Check those of the connection.`
        : `NATS cannot be reached at ${servers} (${message}). Check the connection's servers.`,
      error,
    );
  }
}

function checkVersion({ info }: NatsConnection): void {
  if (!info) throw failed('The connection to NATS that was given is not connected. Connect it first.');
  const [major = 0, minor = 0] = info.version.split('.').map(Number);
  if (major < 2 || (major === 2 && minor < 9))
    throw failed(`The NATS server has version ${info.version}, at least 2.9 is needed. Update it.`);
}
