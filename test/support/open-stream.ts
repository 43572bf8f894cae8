import { openStream, type OpenStreamOptions, type TestStream } from '../../src/sse/testing/index.js';
import { whenTestEnds } from './clean-up.js';

/** Milliseconds for what a busy machine does late. */
const PATIENCE = 20_000 * Number(process.env['SSE_TEST_PATIENCE'] ?? 1);

/** A stream of the test kit. It waits as long as this suite does, and leaves when the test ends. */
export async function listen(url: string, options: OpenStreamOptions = {}): Promise<TestStream> {
  const stream = await openStream(url, '', { timeout: PATIENCE, ...options });
  whenTestEnds(() => stream.close());
  return stream;
}
