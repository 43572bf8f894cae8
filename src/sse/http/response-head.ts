import type { OutgoingHttpHeaders } from 'node:http';
import type { Subscriber } from 'rxjs';
import { heartbeatComment, positionBlock, positionEvent, retryBlock } from '../protocol/event-stream.js';
import { EVENT_STREAM } from '../protocol/media-type.js';
import type { Exchange } from './exchange.js';
import type { SseConnection } from './sse-connection.js';
import type { RouteDescription } from './sse-route.metadata.js';
import type { ConnectionSettings } from './sse-server.js';

/*
 * The beginning of a response: `ResponseHead` sends the head, and ends the response; `Introduction` makes the first text.
 */

/** The coding of the content of a response (RFC 9110, 8.4): `gzip` where this package compresses it. */
export type ContentCoding = 'identity' | 'gzip';

/** Sends the head of a response and ends it: this package on its own routes, Nest on stock ones. */
export interface ResponseHead {
  /**
   * Sends the head.
   *
   * @param coding undefined where the response is never compressed
   * @returns false if Nest has not sent the head yet: call it again
   */
  send(coding: ContentCoding | undefined): boolean;
  /** Answers 204, which tells an EventSource to stay away. */
  stayAway(): void;
  /** Hands an error to the exception filters; only before the head is sent. */
  fail(error: unknown): void;
  /** Ends the response after what was written. */
  end(): void;
  /** Tells Nest that the request is done. On a stock route that ends the response, so it comes only at the end there. */
  release(): void;
  /** The client has left. */
  left(): void;
}

const UNCACHED = 'private, no-cache, no-store, must-revalidate, max-age=0';
// Made once: Node keeps it for as long as the response.
const UNCACHED_AS_IT_IS = `${UNCACHED}, no-transform`;

/** The headers that Nest gives a stream: they keep caches and nginx from holding it back. */
const headersOf = (
  cacheControl: string,
  exchange: Exchange,
  coding: ContentCoding | undefined,
): OutgoingHttpHeaders => ({
  'Content-Type': EVENT_STREAM[exchange.idForm],
  ...variesBy(exchange, coding),
  'Cache-Control': cacheControl,
  Pragma: 'no-cache',
  Expires: '0',
  'X-Accel-Buffering': 'no',
  // HTTP/2 forbids hop-by-hop headers (RFC 9113, 8.2.2).
  ...(exchange.isHttp1 && { Connection: 'keep-alive' }),
});

function variesBy(exchange: Exchange, coding: ContentCoding | undefined): OutgoingHttpHeaders {
  const names = [...(exchange.idForm === 'own' ? ['Accept'] : []), ...(coding ? ['Accept-Encoding'] : [])];
  return names.length > 0 ? { Vary: exchange.varyBy(names) } : {};
}

/** The outcome of a route that Nest waits for: it has done its work, or has failed. */
export interface RouteOutcome {
  done(): void;
  fail(error: unknown): void;
}

/** The head of an `@Sse()` route of this package. */
export class OwnHead implements ResponseHead {
  /** Undefined once Nest was told: it keeps the request in memory, and the stream may go on for days. */
  #outcome: RouteOutcome | undefined;

  constructor(
    private readonly exchange: Exchange,
    private readonly route: Pick<RouteDescription, 'settings' | 'cacheControl'>,
    outcome: RouteOutcome,
  ) {
    this.#outcome = outcome;
  }

  send(coding: ContentCoding | undefined): boolean {
    const { exchange } = this;
    exchange.keepOpen();
    const { settings, cacheControl } = this.route;
    const cache = cacheControl?.() ?? (settings.allowTransform ? UNCACHED : UNCACHED_AS_IT_IS);
    const { headers } = typeof settings.plain === 'object' ? settings.plain : {};
    // Its coding last: Node may have set headers before it throws at one, and an exception filter then answers with them.
    exchange.writeHead(exchange.statusCode, {
      ...headersOf(cache, exchange, coding),
      ...headers,
      ...(coding === 'gzip' && { 'Content-Encoding': coding }),
    });
    // Saves memory: Node keeps the head for as long as the response, as one string if it is flushed alone, else as parts.
    exchange.response.flushHeaders();
    return true;
  }

  stayAway(): void {
    this.exchange.writeHead(204, { 'Cache-Control': 'no-store' });
    this.end();
  }

  fail(error: unknown): void {
    this.#outcome?.fail(error);
    this.#outcome = undefined;
  }

  end(): void {
    this.exchange.response.end();
    this.release();
  }

  release(): void {
    this.#outcome?.done();
    this.#outcome = undefined;
  }

  /**
   * Calls `end()` although the client has gone, as Nest does: middleware may have wrapped it, to save a session for
   * instance. Not before the head is sent: an exception filter may still be answering.
   */
  left(): void {
    const { response, isHeadSent } = this.exchange;
    if (isHeadSent && !response.writableEnded) response.end();
  }
}

/** The head of a stock `@Sse()` route: Nest sends it, one macrotask after the interceptors ran. */
export class NestHead implements ResponseHead {
  /** @param toNest the result of our interceptor */
  constructor(
    private readonly exchange: Exchange,
    private readonly toNest: Subscriber<unknown>,
  ) {}

  send(): boolean {
    return this.exchange.isHeadSent;
  }

  stayAway(): void {
    this.exchange.statusCode = 204;
    this.end();
  }

  fail(error: unknown): void {
    this.toNest.error(error);
  }

  end(): void {
    this.release();
  }

  /** Nest ends the response then. */
  release(): void {
    this.toNest.complete();
  }

  left(): void {
    // Nest has seen it, too.
  }
}

/** The beginning of a response: how long its client waits before it reconnects, and the position where it begins. */
export class Introduction {
  /** The first text, made when the positions at the start were known; kept until it is sent. */
  #opening: string | undefined;
  /** `left out`: the response has begun without one, as a stock route without streams of the hub does. */
  #state: 'due' | 'given' | 'left out' = 'due';

  constructor(private readonly connection: Pick<SseConnection, 'reader' | 'settings'>) {}

  /** The positions of channels are known. @returns the text for the client now; empty if it comes with the opening */
  positionsKnown(): string {
    const { reader, settings } = this.connection;
    const id = reader.position.takeId();
    if (this.#state === 'due' && this.#opening === undefined) {
      this.#opening = this.#textOf(id, settings.retry);
      return '';
    }
    // A stream that came late: the position in its channel is new to the client.
    if (this.#state !== 'left out') return positionText(id, settings);
    this.#state = 'given';
    return this.#textOf(id, settings.retry);
  }

  /**
   * The text that the response begins with.
   *
   * @param retry for a client that is sent away
   */
  opening(retry: number | undefined): string {
    const { reader, settings } = this.connection;
    return this.#opening ?? this.#textOf(reader.position.takeId(), retry ?? settings.retry);
  }

  /** The response has begun with this text. @returns itself if it may still be due */
  opened(text: string): this | undefined {
    if (text !== '') return undefined;
    this.#opening = undefined;
    this.#state = 'left out';
    return this;
  }

  #textOf(id: string | undefined, retry: number): string {
    const { reader, settings } = this.connection;
    if (id === undefined && settings.route === 'stock' && !reader.isUsed) return '';
    const comment = settings.heartbeat === 0 ? '' : heartbeatComment(settings.heartbeat);
    return comment + (id === undefined ? retryBlock(retry) : positionText(id, settings, retry));
  }
}

/** The text that tells a client its position; empty where there is no id to tell. */
export function positionText(
  id: string | undefined,
  { plain }: Pick<ConnectionSettings, 'plain'>,
  retry?: number,
): string {
  if (id === undefined) return '';
  return plain ? positionBlock(id, retry) : positionEvent(id, retry);
}
