import type { INestApplication } from '@nestjs/common';
import { TestStream, type OpenStreamOptions } from './test-stream.js';

/**
 * Opens a stream over HTTP and resolves when it has begun.
 *
 * @param where the application, which listens on a free port of 127.0.0.1 if it does not listen yet, or a URL
 * @param path is appended to the URL
 * @throws StreamRefused, with `status` and `body`, if the answer is no stream
 */
export async function openStream(
  where: INestApplication | string | URL,
  path = '',
  options: OpenStreamOptions = {},
): Promise<TestStream> {
  const base = typeof where === 'string' || where instanceof URL ? String(where) : await addressOf(where);
  return TestStream.open(path === '' ? base : base.replace(/\/$/, '') + path, options);
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
