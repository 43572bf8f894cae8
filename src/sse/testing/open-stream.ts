import type { INestApplication } from '@nestjs/common';
import { TIME_LIMIT } from './event-reader.js';
import { TestStream } from './test-stream.js';

/** Options of `openStream()`. */
export interface OpenStreamOptions {
  /** @defaultValue `'GET'`, or `'POST'` with a body */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  /** The position to begin after. @defaultValue none */
  readonly lastEventId?: string;
  /** Milliseconds that each call of the stream waits, this one included. @defaultValue 4,000 */
  readonly timeout?: number;
}

/**
 * Opens a stream over HTTP and resolves when it has begun.
 *
 * @param where the application, which listens on a free port of 127.0.0.1 if it does not listen yet, or an address
 * @param path is appended to the address
 * @throws StreamRefused, with `status` and `body`, if the answer is no stream
 */
export async function openStream(
  where: INestApplication | string | URL,
  path = '',
  options: OpenStreamOptions = {},
): Promise<TestStream> {
  const base = typeof where === 'string' || where instanceof URL ? String(where) : await addressOf(where);
  const { body, method = body === undefined ? 'GET' : 'POST' } = options;
  const { headers = {}, lastEventId = '', timeout = TIME_LIMIT } = options;
  const isJson = body !== undefined && typeof body !== 'string';
  return TestStream.open({
    url: path === '' ? base : base.replace(/\/$/, '') + path,
    method,
    headers: {
      accept: 'text/event-stream',
      ...(isJson && { 'content-type': 'application/json' }),
      ...lowerCased(headers),
    },
    body: isJson ? JSON.stringify(body) : body,
    lastEventId,
    timeout,
  });
}

/** Streams that are opened at once share the start of their application. */
const starts = new WeakMap<INestApplication, Promise<unknown>>();

async function addressOf(app: INestApplication): Promise<string> {
  const { listening } = app.getHttpServer() as { readonly listening: boolean };
  if (!listening) {
    const start = starts.get(app) ?? app.listen(0, '127.0.0.1');
    starts.set(app, start);
    await start;
  }
  return app.getUrl();
}

const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
