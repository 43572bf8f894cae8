import type { IncomingMessage, OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import { takesGzip } from './deflate.js';
import { idFormOf } from '../protocol/media-type.js';
import type { IdForm } from '../protocol/position.js';

/** The response object of an adapter: Node's own on Express, one around it on Fastify. */
interface AdapterResponse {
  readonly raw?: ServerResponse;
  /** Fastify: the request, with what guards have left on it. */
  readonly request?: object;
  statusCode?: number;
  getHeaders?(): Readonly<Record<string, OutgoingHttpHeader | undefined>>;
  /** Fastify: the raw response is written to by somebody else from now on. */
  hijack?(): void;
}

/** A response, as a compression middleware may have extended it. */
interface Flushable {
  flush?(): void;
}

/** Something that carries responses: a socket, or a session of HTTP/2. */
export interface Carrier {
  readonly destroyed: boolean;
  destroy(): void;
  once(event: 'close', listener: () => void): unknown;
}

/** Listeners by the socket whose end they wait for; one listener of the socket for all pipelined requests on it. */
const awaitingEnd = new WeakMap<Socket, Set<() => void>>();

/**
 * A request and its response, whatever the adapter (Express, Fastify) and the protocol (HTTP/1.1, HTTP/2): reads the
 * request, sends the head, and knows when and how the response ends. Bytes after the head: `response-writer.ts`.
 */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** A runtime that only resembles node:http may have less, or nothing. */
  readonly socket: Partial<Socket>;
  readonly isHttp1: boolean;
  readonly #adapted: AdapterResponse;

  /** @param response as the adapter has it */
  constructor(response: object) {
    this.#adapted = response;
    this.response = this.#adapted.raw ?? (response as ServerResponse);
    this.request = this.response.req;
    // Read once: on Express each request has a hidden class of its own, so that every look-up is a slow one.
    this.socket = this.request.socket ?? {};
    this.isHttp1 = this.request.httpVersionMajor === 1;
  }

  /** The request as the adapter has it. */
  get adaptedRequest(): object {
    return this.#adapted.request ?? this.request;
  }

  get isHead(): boolean {
    return this.request.method === 'HEAD';
  }

  /** Whether the client has gone, or the response has ended. */
  get isOver(): boolean {
    return this.response.destroyed || this.response.writableEnded || this.socket.destroyed === true;
  }

  /** Whether the status is decided, so that an error can only be told in the stream. */
  get isHeadSent(): boolean {
    return this.response.headersSent;
  }

  /** The status as `@HttpCode()`, Nest's default for the method, or an interceptor has left it. */
  get statusCode(): number {
    return this.#adapted.statusCode ?? this.response.statusCode;
  }

  set statusCode(statusCode: number) {
    this.#adapted.statusCode = statusCode;
  }

  /** Sends the head; the headers given win over those set before. */
  writeHead(statusCode: number, headers: OutgoingHttpHeaders): void {
    // Throws if a value has a character that none may have; then the response is not ours yet.
    this.response.writeHead(statusCode, this.#withThoseOfAdapter(headers));
    this.#adapted.hijack?.();
  }

  /** Runs something that writes: all of it leaves in one packet. */
  inOnePacket<Result>(write: () => Result): Result {
    const socket: Partial<Socket> = this.isHttp1 ? this.socket : {};
    socket.cork?.();
    try {
      return write();
    } finally {
      socket.uncork?.();
    }
  }

  /** Writes so that it leaves at once, also through a compression middleware. */
  write(content: string | Buffer): boolean {
    const taken = this.response.write(content);
    (this.response as Flushable).flush?.();
    return taken;
  }

  /** Fastify keeps headers beside Node's response. */
  #withThoseOfAdapter(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
    if (this.#adapted === this.response) return headers;
    const given = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
    const before = Object.entries(this.#adapted.getHeaders?.() ?? {}).filter(
      ([name]) => !given.has(name.toLowerCase()),
    );
    return { ...Object.fromEntries(before), ...headers };
  }

  /**
   * A stream is silent for longer than the server would let a request be. Not on HTTP/2, where streams share the
   * socket.
   */
  keepOpen(): void {
    if (!this.isHttp1) return;
    const { socket } = this;
    socket.setKeepAlive?.(true);
    socket.setNoDelay?.(true);
    // Node would add a property to each socket that has no timeout.
    if (socket.timeout) socket.setTimeout?.(0);
  }

  /** A client that does not take the rest of the response is not waited for. */
  finishWithin(milliseconds: number): void {
    const timeout = Math.max(milliseconds, 1); // 0 is none, to Node
    if (this.isHttp1) {
      // Node destroys the socket then. When the response has finished Node sets a timeout of its own.
      if (!this.response.writableFinished) this.socket.setTimeout?.(timeout);
      return;
    }
    const { stream } = this.response as unknown as Http2ServerResponse;
    stream.setTimeout(timeout, () => stream.close());
  }

  /**
   * Calls a listener when the response is over: ended, or its client gone. It may be called twice.
   *
   * A pipelined response, which waits for the one before it on the same connection, has no socket yet and never hears of
   * its end. For that one the request's socket is asked.
   */
  onceOver(listener: () => void): void {
    const { response } = this;
    response.on('close', listener); // it comes once
    if (!this.isHttp1 || response.socket) return;
    const socket = this.request.socket as Socket | undefined;
    if (!socket) return; // the runtime only resembles node:http
    let listeners = awaitingEnd.get(socket);
    if (!listeners) {
      const all = (listeners = new Set());
      awaitingEnd.set(socket, all);
      socket.once('close', () => {
        for (const one of all) one();
      });
    }
    listeners.add(listener);
    response.on('close', () => listeners.delete(listener));
  }

  /**
   * Closes the socket, or the session, once the response is on its way.
   *
   * @returns what is closed then; undefined where nothing can be closed, as with `app.inject()` of Fastify
   */
  closeAfterwards(): Carrier | undefined {
    const { socket, response } = this;
    if (!canBeClosed(socket)) return undefined;
    if (this.isHttp1) {
      response.once('finish', () => socket.destroySoon());
      return socket;
    }
    const { session } = (response as unknown as Http2ServerResponse).stream;
    response.once('finish', () => session?.close());
    return session ?? socket;
  }

  /** The position that the client sent: a header, or for those who cannot set one a query parameter. */
  get lastEventId(): string | undefined {
    const header = this.request.headers['last-event-id'];
    // A browser sends UTF-8, and Node reads every header as Latin-1.
    if (typeof header === 'string' && header !== '') return Buffer.from(header, 'latin1').toString('utf8');
    return this.query?.get('lastEventId') || undefined;
  }

  /** The form of ids that the client has asked for. */
  get idForm(): IdForm {
    return idFormOf(this.request.headers.accept);
  }

  /**
   * Whether the content may be sent with a coding of ours: the client takes it, HTTP/1.0 is not in the way, which may mean
   * an old proxy, and nobody else has a hand in the bytes.
   */
  get takesGzip(): boolean {
    const { request, response } = this;
    const isOld = this.isHttp1 && request.httpVersionMinor === 0;
    const hasCoding =
      response.hasHeader('content-encoding') ||
      this.#adapted.getHeaders?.()['content-encoding'] !== undefined;
    const isTouched = hasCoding || Object.hasOwn(response, 'write');
    return !isOld && !isTouched && takesGzip(request.headers['accept-encoding']);
  }

  /** The value of `Vary` for a response that depends on these headers of the request, too. */
  varyBy(headers: readonly string[]): string {
    const before = String(this.#adapted.getHeaders?.()['vary'] ?? '').split(',');
    const names = before.map((name) => name.trim()).filter((name) => name !== '');
    const isThere = (header: string): boolean =>
      names.some((name) => name === '*' || name.toLowerCase() === header.toLowerCase());
    return [...names, ...headers.filter((header) => !isThere(header))].join(', ');
  }

  /** The query of the address, whatever parser the adapter has; undefined where there is none. */
  get query(): URLSearchParams | undefined {
    const url = this.request.url ?? '';
    const start = url.indexOf('?');
    return start < 0 ? undefined : new URLSearchParams(url.slice(start));
  }

  /** The client's address, as the socket has it. */
  get address(): string | undefined {
    return this.socket.remoteAddress;
  }

  get path(): string {
    return (this.request.url ?? '').split('?', 1)[0] as string;
  }
}

const canBeClosed = (socket: Partial<Socket>): socket is Socket => typeof socket.destroySoon === 'function';
