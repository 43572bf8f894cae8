import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { LogLine } from '../log-line.js';
import { SSE_SETTINGS, type SseSettings } from '../sse.settings.js';
import { Admission } from './admission.js';
import type { Carrier } from './exchange.js';
import { httpServerOf } from './http-server.js';
import type { SseConnection } from './sse-connection.js';
import { UnusedSockets } from './unused-sockets.js';

/** Milliseconds that the ends of all streams may take to be written. */
const LONGEST_GOODBYE = 10_000;

/**
 * The application's way out. While it is `announced`, everything is served as before, and only `hub.health()` tells of
 * it. While it is `draining`, streams are ended and new ones are turned away.
 */
export type DrainPhase = 'serving' | 'announced' | 'draining';

/**
 * Ends all streams when the application closes: Nest closes the server next, and a server that has open sockets waits
 * for them for ever. From then on the admission turns new streams away.
 *
 * Before that it gives balancers the time to look elsewhere, in the first hook of the end that Nest calls.
 */
@Injectable()
export class Drain implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown {
  #phase: DrainPhase = 'serving';
  #announced: Promise<void> | undefined;

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly admission: Admission,
    private readonly sockets: UnusedSockets,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  get phase(): DrainPhase {
    return this.#phase;
  }

  onApplicationBootstrap(): void {
    // A closed server waits for connections that are in use, and a client that polls would use one for ever.
    httpServerOf(this.adapterHost)?.on('request', (_request: IncomingMessage, response: ServerResponse) => {
      if (this.#phase === 'draining') response.shouldKeepAlive = false;
    });
  }

  onModuleDestroy(): Promise<void> {
    return this.announce();
  }

  /** Resolves when `shutdown.notice` is over. Called by whatever else must go on until then. */
  announce(): Promise<void> {
    return (this.#announced ??= this.#announce());
  }

  async #announce(): Promise<void> {
    this.#phase = 'announced';
    const { notice } = this.settings.shutdown;
    if (notice === 0 || !this.#server()?.listening) return;
    const what = `The application is closing. It is not ready, and serves on for ${notice} ms.`;
    new Logger('SseHub').log(new LogLine(what, { notice }));
    await delay(notice);
  }

  /** Ends every stream, and waits until the sockets are closed: at most `shutdown.grace` after the last end. */
  async beforeApplicationShutdown(): Promise<void> {
    this.#phase = 'draining';
    const { grace } = this.settings.shutdown;
    const carriers = new Set<Carrier>();
    const closeAfterwards = ({ exchange }: SseConnection): void => {
      const carrier = exchange.closeAfterwards();
      if (carrier) carriers.add(carrier);
    };
    const admitted = this.admission.stop(closeAfterwards);
    for (const connection of admitted) {
      closeAfterwards(connection);
      connection.end('shutdown', this.admission.retry());
    }
    // This waits for the event loop, not for the clients. Requests on sockets that were held came before the end, and Fastify
    // would answer them 503.
    const until = performance.now() + LONGEST_GOODBYE;
    const isUnderWay = (): boolean => this.sockets.areHeld || admitted.some(({ isClosed }) => !isClosed);
    while (isUnderWay() && performance.now() < until) await nextTurn();
    await nextTurn(); // in which the last of these sockets are read
    // Nest waits for unused sockets as well, when this is done. Until the grace is over they may still be used.
    setTimeout(() => this.sockets.destroy(), grace).unref();
    await closed(carriers, grace);
  }

  /** A process without an HTTP server has no adapter. */
  #server(): { readonly listening?: boolean } | undefined {
    const adapter = this.adapterHost.httpAdapter as HttpAdapterHost['httpAdapter'] | undefined;
    return adapter?.getHttpServer() as { readonly listening?: boolean } | undefined;
  }
}

/** Resolves when all are closed, at the latest after the grace time, when the others are destroyed. */
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
