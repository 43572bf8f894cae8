import type { IncomingHttpHeaders } from 'node:http';
import {
  openStream,
  StreamRefused,
  type OpenStreamOptions,
  type TestStream,
} from '../../src/sse/testing/index.js';
import { whenTestEnds } from './clean-up.js';

/** Milliseconds for what a busy machine does late. */
export const PATIENCE = 20_000 * Number(process.env['SSE_TEST_PATIENCE'] ?? 1);

/** A stream of the test kit. It waits as long as this suite does, and leaves when the test ends. */
export async function listen(url: string, options: OpenStreamOptions = {}): Promise<TestStream> {
  const stream = await openStream(url, '', { timeout: PATIENCE, ...options });
  whenTestEnds(() => stream.close());
  return stream;
}

/** An answer, with a stream or without. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Parsed if it is JSON; undefined where it is a stream. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into it without a cast
  readonly body?: any;
}

/** How a request for a stream is answered. */
export async function answerTo(url: string, options: OpenStreamOptions = {}): Promise<Answer> {
  return listen(url, options).catch((error: unknown) => {
    if (error instanceof StreamRefused) return error;
    throw error;
  });
}
