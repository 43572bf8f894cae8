import {
  HttpException,
  HttpStatus,
  Inject,
  Injectable,
  ServiceUnavailableException,
  type BeforeApplicationShutdown,
} from '@nestjs/common';
import type { Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SSE_SETTINGS, type SseSettings } from '../sse.settings.js';
import { onceOver } from './closing.js';
import type { Returnable } from './connection-settings.js';
import type { Exchange } from './exchange.js';
import { KeyedCount } from './keyed-count.js';
import { TokenBucket } from './rate.js';
import type { SseConnection } from './sse-connection.js';
import { UnusedSockets } from './unused-sockets.js';

/** Milliseconds that the ends of all streams may take to be written. */
const LONGEST_GOODBYE = 10_000;

/** Something that carries responses: a socket, or a session of HTTP/2. */
interface Carrier {
  readonly destroyed: boolean;
  destroy(): void;
  once(event: 'close', listener: () => void): unknown;
}

/** Lets streams in, up to some limits, and sees all of them out when the application closes. */
@Injectable()
export class Admission implements BeforeApplicationShutdown {
  readonly #admitted = new Set<SseConnection>();
  readonly #perKey: KeyedCount;
  readonly #perSecond: TokenBucket;
  #isClosing = false;

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly unused: UnusedSockets,
  ) {
    this.#perKey = new KeyedCount(settings.limits.connectionsPerKey);
    this.#perSecond = new TokenBucket(settings.limits.connectionsPerSecond);
  }

  /**
   * Counts a stream among the open ones until its response is over, or turns it away. What the application's
   * `connectionKey` throws, this throws.
   */
  admits(connection: SseConnection): boolean {
    const key = this.#keyOf(connection);
    const isOneTooMany = key !== undefined && this.#perKey.isFull(key);
    // One that is turned away for something else takes nothing of what others may have in this second.
    if (this.#isFull || isOneTooMany || !this.#perSecond.take()) {
      this.turnAway(connection, isOneTooMany ? tooManyOfOne : undefined);
      return false;
    }
    if (key !== undefined) this.#perKey.add(key);
    this.#admitted.add(connection);
    connection.register();
    const aging = this.#endInTime(connection);
    onceOver(connection.exchange, () => {
      clearTimeout(aging);
      // A response that has waited behind another may be over twice.
      if (this.#admitted.delete(connection) && key !== undefined) this.#perKey.remove(key);
      connection.left();
    });
    return true;
  }

  get #isFull(): boolean {
    return this.#isClosing || this.#admitted.size >= this.settings.limits.connections;
  }

  /** Where nothing is counted by it, nobody is asked. */
  #keyOf({ request }: SseConnection): string | undefined {
    const { limits, connectionKey } = this.settings;
    return limits.connectionsPerKey === Infinity ? undefined : connectionKey(request);
  }

  /** Who came together, as after a restart, does not leave together: each has a random age. */
  #endInTime(connection: SseConnection): NodeJS.Timeout | undefined {
    const { retry, limits } = this.settings;
    if (limits.connectionAge === Infinity) return undefined;
    const age = limits.connectionAge * (1 - Math.random() / 2);
    return setTimeout(() => {
      if (!this.#isClosing) connection.end(retry);
    }, age).unref();
  }

  /**
   * Sends a client away, in the way in which it comes back later.
   *
   * @param refusal what one that is no EventSource is told, but for when to come back
   */
  turnAway(connection: Returnable, refusal = tooManyOfAll): void {
    if (this.#isClosing) {
      closeAfterwards(connection.exchange);
      connection.end(this.#retry());
    } else if (this.settings.whenFull === 'retry') {
      connection.end(this.#retry());
    } else {
      connection.exchange.response.setHeader('Retry-After', Math.ceil(this.#retry() / 1000));
      connection.fail(refusal());
    }
  }

  /**
   * Ends every stream and waits until the sockets are closed, for Nest closes the server next and
   * would wait for them for ever.
   */
  async beforeApplicationShutdown(): Promise<void> {
    this.#isClosing = true;
    // Nest waits for these as well, when this is done. Some may still be used in that time.
    setTimeout(() => {
      this.unused.destroy();
    }, this.settings.shutdown.grace).unref();
    const carriers = new Set<Carrier>();
    for (const connection of [...this.#admitted]) {
      const carrier = closeAfterwards(connection.exchange);
      if (carrier) carriers.add(carrier);
      connection.end(this.#retry());
    }
    await this.#saidGoodbye();
    await closed(carriers, this.settings.shutdown.grace);
  }

  /** Waits until every stream was ended. It is not the clients that this waits for, but the event loop. */
  async #saidGoodbye(): Promise<void> {
    const until = performance.now() + LONGEST_GOODBYE;
    while ([...this.#admitted].some(({ isClosed }) => !isClosed) && performance.now() < until)
      await nextTurn();
  }

  /** Milliseconds until a client that is sent away shall come back: not all at once. */
  #retry(): number {
    const { retry, shutdown } = this.settings;
    return retry + Math.floor(Math.random() * shutdown.spread);
  }
}

const tooManyOfAll = (): HttpException =>
  new ServiceUnavailableException('There are too many streams. Come back later.');

const tooManyOfOne = (): HttpException =>
  new HttpException(
    'You have too many streams open. Close one, or come back later.',
    HttpStatus.TOO_MANY_REQUESTS,
  );

/**
 * Closes what carries a response once the response is on its way.
 *
 * @returns what carries it; undefined where nothing can be closed, as with `app.inject()` of Fastify
 */
function closeAfterwards({ socket, response, isHttp1 }: Exchange): Carrier | undefined {
  if (!isCarrier(socket)) return undefined;
  if (isHttp1) {
    response.once('finish', () => socket.destroySoon());
    return socket;
  }
  const { session } = (response as unknown as Http2ServerResponse).stream;
  response.once('finish', () => session?.close());
  return session ?? socket;
}

const isCarrier = (socket: Partial<Socket>): socket is Socket => typeof socket.destroySoon === 'function';

/** Resolves when all are closed, at the latest after the grace time, when what is left was destroyed. */
async function closed(carriers: ReadonlySet<Carrier>, grace: number): Promise<void> {
  const open = [...carriers].filter((carrier) => !carrier.destroyed);
  const all = Promise.all(
    open.map((carrier) => new Promise<void>((resolve) => carrier.once('close', resolve))),
  );
  const timer = setTimeout(() => {
    for (const carrier of open) carrier.destroy();
  }, grace);
  await all;
  clearTimeout(timer);
}
