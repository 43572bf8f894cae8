import {
  createInbox,
  headers,
  type Msg,
  type NatsConnection,
  type Subscription,
} from '@nats-io/transport-node';
import { JetStreamApiError, PubHeaders, type ApiError, type PubAck } from '@nats-io/jetstream';
import { NoAnswer, NotTaken } from './errors.js';

interface Publication {
  /** By `performance.now()`. */
  readonly until: number;
  readonly resolve: (ack: PubAck) => void;
  readonly reject: (error: Error) => void;
}

export interface PublishOptions {
  /** Makes a second attempt the same message. */
  readonly publishId?: string | undefined;
  /** The sequence of the newest message of the subject, 0 if there is none: otherwise it is a conflict. */
  readonly expected?: number | undefined;
}

/** Milliseconds between two searches for publications that have waited too long. */
const LOOK = 500;

/**
 * Publishes to streams, and receives all acknowledgements on one subscription. It is `JetStreamClient.publish` at less
 * than half of its cost.
 */
export class Publications {
  readonly #inbox = createInbox();
  readonly #acknowledgements: Subscription;
  /** By reply subject, in the order in which they were sent, which is that in which their time is over. */
  readonly #unanswered = new Map<string, Publication>();
  #sent = 0;
  readonly #looking: NodeJS.Timeout;

  /** @param timeout milliseconds for an acknowledgement */
  constructor(
    private readonly connection: NatsConnection,
    private readonly timeout: number,
  ) {
    this.#acknowledgements = connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (!error) this.#answered(message);
      },
    });
    this.#looking = setInterval(() => this.#look(), LOOK).unref();
  }

  publish(subject: string, text: string, { publishId, expected }: PublishOptions = {}): Promise<PubAck> {
    return new Promise((resolve, reject) => {
      const reply = `${this.#inbox}.${(this.#sent++).toString(36)}`;
      if (publishId === undefined && expected === undefined) {
        this.connection.publish(subject, text, { reply });
      } else {
        const head = headers();
        if (publishId !== undefined) head.set(PubHeaders.MsgIdHdr, publishId);
        if (expected !== undefined) head.set(PubHeaders.ExpectedLastSubjectSequenceHdr, `${expected}`);
        this.connection.publish(subject, text, { reply, headers: head });
      }
      this.#unanswered.set(reply, { until: performance.now() + this.timeout, resolve, reject });
    });
  }

  /** Nobody will answer any more: the connection is lost, or the server's leader is gone. */
  lost(): void {
    for (const { reject } of this.#unanswered.values()) reject(new NoAnswer('the connection was lost'));
    this.#unanswered.clear();
  }

  close(): void {
    clearInterval(this.#looking);
    this.#acknowledgements.unsubscribe();
    this.lost();
  }

  #answered(message: Msg): void {
    const publication = this.#unanswered.get(message.subject);
    if (!publication) return;
    this.#unanswered.delete(message.subject);
    if (message.data.length === 0) return publication.reject(new NotTaken('no stream is there'));
    const answer = message.json<PubAck & { readonly error?: ApiError }>();
    if (answer.error) publication.reject(new JetStreamApiError(answer.error));
    else publication.resolve(answer);
  }

  #look(): void {
    const now = performance.now();
    for (const [reply, { until, reject }] of this.#unanswered) {
      if (until > now) return;
      this.#unanswered.delete(reply);
      reject(new NoAnswer('its time is over'));
    }
  }
}
