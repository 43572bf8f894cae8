import { type BackplaneCall, hubClosed, noAnswer, notSent, type SseError } from '../../sse.errors.js';
import { atDeadline } from './deadline.js';
import type { RemoteOptions } from './remote.options.js';

/**
 * The server did nothing, as it is a replica, or starting. The call waits as if it had not been sent, and is sent again
 * on the next connection.
 */
export class NotNow extends Error {}

/** Milliseconds after which a call with {@link NotNow} is sent again, if there was no new connection before. */
const AGAIN = 250;

interface Call {
  /** Calls are sent in this order; a call that is sent again keeps its number. */
  readonly number: number;
  /** Sends it. */
  readonly go: () => void;
  readonly refuse: (error: Error) => void;
}

/**
 * The calls to a server that may be away. They wait for the connection in the order in which they were made, but no
 * longer than `publishTimeout`, and at most `maxPending` of them.
 *
 * `down` ⇄ `up` as the connection comes and goes; `closed` for good. A call is `waiting`, then `sent`, then `over`. After
 * {@link NotNow} it is `waiting` again.
 */
export class RemoteCalls {
  #state: 'down' | 'up' | 'closed' = 'down';
  readonly #waiting = new Set<Call>();
  /** Calls that were sent again since the start. */
  resent = 0;
  #calls = 0;
  /** Calls that are not over. */
  #pending = 0;
  #idle: (() => void) | undefined;

  constructor(
    /** The server's name in messages. */
    private readonly server: string,
    private readonly settings: Required<RemoteOptions>,
  ) {}

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** There is a connection: calls that wait are sent. */
  up(): void {
    if (this.#state === 'closed') return;
    this.#state = 'up';
    for (const call of [...this.#waiting].sort((one, other) => one.number - other.number)) {
      if (this.#waiting.delete(call)) call.go();
    }
  }

  /** The connection is lost. */
  down(): void {
    if (this.#state === 'up') this.#state = 'down';
  }

  /**
   * Sends something as soon as there is a connection.
   *
   * @param send is given the milliseconds that are left and the number of the call, which it keeps when it is sent
   * again; rejects with an SseError, or `NotNow`
   * @throws SseError `HUB_CLOSED`. A call that publishes: `PUBLISH_REJECTED` if it was not sent, `PUBLISH_UNCERTAIN` if
   * there was no answer in time. Other calls: `BACKPLANE_AWAY`
   */
  run<T>(kind: BackplaneCall, send: (left: number, number: number) => Promise<T>): Promise<T> {
    const refusal = this.#refusal(kind);
    if (refusal) return Promise.reject(refusal);
    const { publishTimeout } = this.settings;
    const until = performance.now() + publishTimeout;
    this.#pending++;
    return new Promise<T>((resolve, reject) => {
      let state: 'waiting' | 'sent' | 'over' = 'waiting';
      const end = (settle: () => void): void => {
        if (state === 'over') return;
        state = 'over';
        cancel();
        if (--this.#pending === 0) this.#idle?.();
        settle();
      };
      const refuse = (error: Error): void => end(() => reject(error));
      const failed = (error: Error): void => {
        if (!(error instanceof NotNow)) return refuse(error);
        if (state === 'over') return;
        state = 'waiting';
        if (this.#state === 'closed') refuse(hubClosed());
        else if (this.settings.whileAway === 'fail') refuse(notSent(kind, error.message));
        else this.#sendAgain(call);
      };
      const go = (): void => {
        state = 'sent';
        send(until - performance.now(), call.number).then((answer) => end(() => resolve(answer)), failed);
      };
      const call: Call = { number: this.#calls++, go, refuse };
      const cancel = atDeadline(publishTimeout, () => {
        this.#waiting.delete(call);
        refuse(
          state === 'sent'
            ? noAnswer(kind, `${this.server} did not answer within ${publishTimeout} ms.`)
            : notSent(
                kind,
                `${this.server} could not be used for ${publishTimeout} ms: there was no connection, no notices came, or the orders of the other instances could not be read.`,
              ),
        );
      });
      if (this.isUp) go();
      else this.#waiting.add(call);
    });
  }

  #refusal(kind: BackplaneCall): SseError | undefined {
    const { whileAway, maxPending } = this.settings;
    if (this.#state === 'closed') return hubClosed();
    if (this.#pending >= maxPending)
      return notSent(kind, `${maxPending} calls wait for ${this.server}, which is the option maxPending.`);
    if (this.#state === 'down' && whileAway === 'fail')
      return notSent(kind, `${this.server} cannot be used at present.`);
    return undefined;
  }

  #sendAgain(call: Call): void {
    this.resent++;
    this.#waiting.add(call);
    if (!this.isUp) return;
    setTimeout(() => {
      if (this.isUp && this.#waiting.delete(call)) call.go();
    }, AGAIN).unref();
  }

  /** Refuses the calls that were not sent. Resolves when all others have their answers. */
  async close(): Promise<void> {
    this.#state = 'closed';
    for (const call of this.#waiting) call.refuse(hubClosed());
    this.#waiting.clear();
    if (this.#pending > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }
}
