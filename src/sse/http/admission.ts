import { HttpException, HttpStatus, Inject, Injectable, ServiceUnavailableException } from '@nestjs/common';
import { SSE_SETTINGS, type SseSettings } from '../sse.settings.js';
import type { RefusingLimit } from '../diagnostics/messages.js';
import { KeyedLimit, RateLimit } from './limits.js';
import { OpeningQueue } from './opening-queue.js';
import type { SseConnection } from './sse-connection.js';

/**
 * Lets streams in: each counts among the open ones, against `limits`, until its response is over. A client over a
 * limit is sent away. With `whenFull: 'retry'` it gets a 200 with `retry:` and comes back: an EventSource that gets an
 * error status never does (HTML 9.2.3, "fail the connection"). `drain.ts` sees the streams out when the application closes.
 */
@Injectable()
export class Admission {
  readonly #admitted = new Set<SseConnection>();
  readonly #perKey: KeyedLimit;
  readonly #perSecond: RateLimit;
  /** There once nobody is let in any more: closes the socket of a client after the answer. */
  #closeAfterwards: ((connection: SseConnection) => void) | undefined;

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly openings: OpeningQueue,
  ) {
    this.#perKey = new KeyedLimit(settings.limits.connectionsPerKey);
    this.#perSecond = new RateLimit(settings.limits.connectionsPerSecond);
  }

  /** Lets a stream in, or turns it away. @throws what the application's `connectionKey` throws */
  admit(connection: SseConnection): boolean {
    const { limits, connectionKey } = this.settings;
    // Without a limit per key the application is not asked for keys.
    const key = limits.connectionsPerKey === Infinity ? undefined : connectionKey(connection.request);
    const limit = this.#reached(key);
    if (limit) {
      connection.refused(limit);
      this.turnAway(connection, limit === 'connectionsPerKey' ? tooManyOfOne : tooManyOfAll);
      return false;
    }
    if (key !== undefined) this.#perKey.add(key);
    this.#admitted.add(connection);
    connection.register();
    const aging = this.#endAtItsAge(connection);
    connection.exchange.onceOver(() => {
      clearTimeout(aging);
      // A response that has waited behind another may be over twice.
      this.openings.delete(connection);
      if (this.#admitted.delete(connection) && key !== undefined) this.#perKey.remove(key);
      connection.over();
    });
    return true;
  }

  /** Has a response begin that was let in, in its turn. @param begin never throws */
  begin(connection: SseConnection, begin: () => void): void {
    this.openings.add(connection, begin);
  }

  /** The limit that lets nobody in now, or nobody of this key. */
  #reached(key: string | undefined): RefusingLimit | undefined {
    if (this.#isStopped) return 'shutdown';
    if (key !== undefined && this.#perKey.isReached(key)) return 'connectionsPerKey';
    if (this.#admitted.size >= this.settings.limits.connections) return 'connections';
    // Last, as a stream that is turned away for another reason takes no token of this second.
    return this.#perSecond.take() ? undefined : 'connectionsPerSecond';
  }

  /**
   * Sends a client away so that it comes back. One of a `plain` route would take an empty stream for the whole.
   *
   * @param refusal the error of a client that is no EventSource
   */
  turnAway(connection: SseConnection, refusal = notAvailable): void {
    this.#closeAfterwards?.(connection);
    const comesBack = this.#isStopped || this.settings.whenFull === 'retry';
    if (comesBack && !connection.settings.plain)
      return connection.end(this.#isStopped ? 'shutdown' : 'refused', this.retry());
    connection.exchange.response.setHeader('Retry-After', Math.ceil(this.retry() / 1000));
    connection.fail(refusal());
  }

  /**
   * Lets nobody in from now on.
   *
   * @param closeAfterwards closes the socket of a client that is turned away, after the answer
   * @returns the streams that are in
   */
  stop(closeAfterwards: (connection: SseConnection) => void): readonly SseConnection[] {
    this.#closeAfterwards = closeAfterwards;
    return [...this.#admitted];
  }

  get #isStopped(): boolean {
    return this.#closeAfterwards !== undefined;
  }

  /** Milliseconds after which a client that is sent away shall come back: random, so that not all come at once. */
  retry(): number {
    const { retry, shutdown } = this.settings;
    return retry + Math.floor(Math.random() * shutdown.spread);
  }

  /** Each gets a random age, so that clients that came together, as after a restart, do not leave together. */
  #endAtItsAge(connection: SseConnection): NodeJS.Timeout | undefined {
    const { retry, limits } = this.settings;
    if (limits.connectionAge === Infinity) return undefined;
    const age = limits.connectionAge * (1 - Math.random() / 2);
    return setTimeout(() => {
      if (!this.#isStopped) connection.end('age', retry);
    }, age).unref();
  }
}

const notAvailable = (): HttpException =>
  new ServiceUnavailableException('The stream is not available now. Come back later.');

const tooManyOfAll = (): HttpException =>
  new ServiceUnavailableException('There are too many streams. Come back later.');

const tooManyOfOne = (): HttpException =>
  new HttpException(
    'You have too many streams open. Close one, or come back later.',
    HttpStatus.TOO_MANY_REQUESTS,
  );
