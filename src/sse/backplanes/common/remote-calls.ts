import { type BackplaneCall, hubClosed, noAnswer, notSent } from '../../sse.errors.js';
import type { RemoteOptions } from './remote.options.js';

/** What a call is to its caller when it fails: whether something may have been stored matters to who publishes. */

/**
 * The server at hand cannot do it, and has not done it. Another may, to which the connection leads by and by: the
 * call is sent again, as one that was not sent yet.
 */
export class NotNow extends Error {}

/** Milliseconds after which a call is sent again that could not be done, if the connection has not changed. */
const AGAIN = 250;

interface Call {
  /** Calls are sent in this order. */
  readonly number: number;
  /** Sends it, when there is a connection. */
  readonly go: () => void;
  readonly refuse: (error: Error) => void;
}

/**
 * The calls to a server that may be away: they wait for the connection in their order, or fail, and none
 * waits for ever, nor do they without bound.
 */
export class RemoteCalls {
  #isUp = false;
  #isClosed = false;
  /** Those that are to be sent. */
  readonly #waiting = new Set<Call>();
  #calls = 0;
  #pending = 0;
  #idle: (() => void) | undefined;

  constructor(
    /** What the server is called in messages. */
    private readonly server: string,
    private readonly settings: Required<RemoteOptions>,
  ) {}

  get isUp(): boolean {
    return this.#isUp;
  }

  /** There is a connection: what waited is sent. */
  up(): void {
    this.#isUp = true;
    for (const call of [...this.#waiting].sort((one, other) => one.number - other.number)) {
      if (this.#waiting.delete(call)) call.go();
    }
  }

  /** The connection is lost. */
  down(): void {
    this.#isUp = false;
  }

  /**
   * Sends something as soon as there is a connection.
   *
   * @param send is given the milliseconds that are left, and rejects with an SseError, or `NotNow`
   * @throws SseError `HUB_CLOSED`. For who publishes `PUBLISH_REJECTED`: it was not sent;
   * `PUBLISH_UNCERTAIN`: there was no answer in time. For others `BACKPLANE_AWAY`
   */
  run<T>(kind: BackplaneCall, send: (left: number) => Promise<T>): Promise<T> {
    const { publishTimeout, whileAway, maxPending } = this.settings;
    if (this.#isClosed) return Promise.reject(hubClosed());
    if (this.#pending >= maxPending) {
      return Promise.reject(
        notSent(kind, `${maxPending} calls wait for ${this.server}, which is maxPending.`),
      );
    }
    if (!this.#isUp && whileAway === 'fail') {
      return Promise.reject(notSent(kind, `There is no connection to ${this.server}.`));
    }
    this.#pending++;
    const until = performance.now() + publishTimeout;
    return new Promise<T>((resolve, reject) => {
      let isSent = false;
      let isOver = false;
      const end = (settle: () => void): void => {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        if (--this.#pending === 0) this.#idle?.();
        settle();
      };
      const refuse = (error: Error): void => end(() => reject(error));
      const go = (): void => {
        isSent = true;
        send(until - performance.now()).then((answer) => end(() => resolve(answer)), failed);
      };
      const failed = (error: Error): void => {
        if (!(error instanceof NotNow)) return refuse(error);
        isSent = false;
        if (this.#isClosed) refuse(hubClosed());
        else if (whileAway === 'fail') refuse(notSent(kind, error.message));
        else if (!isOver) this.#sendAgain(call);
      };
      const call: Call = { number: this.#calls++, go, refuse };
      const timer = setTimeout(() => {
        this.#waiting.delete(call);
        refuse(
          isSent
            ? noAnswer(kind, `${this.server} did not answer within ${publishTimeout} ms.`)
            : notSent(kind, `There was no connection to ${this.server} for ${publishTimeout} ms.`),
        );
      }, publishTimeout);
      if (this.#isUp) go();
      else this.#waiting.add(call);
    });
  }

  #sendAgain(call: Call): void {
    this.#waiting.add(call);
    if (!this.#isUp) return;
    setTimeout(() => {
      if (this.#isUp && this.#waiting.delete(call)) call.go();
    }, AGAIN).unref();
  }

  /** Refuses what was not sent. Resolves when there is nothing left that waits for an answer. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const call of this.#waiting) call.refuse(hubClosed());
    this.#waiting.clear();
    if (this.#pending > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }
}
