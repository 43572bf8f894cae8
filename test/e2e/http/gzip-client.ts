import { once } from 'node:events';
import { request as requestOf, type IncomingMessage } from 'node:http';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { whenTestEnds } from '../../support/clean-up.js';

/** A client that asks for gzip, decodes what comes as it comes, and checks the trailer at the end. */
export class GzipClient {
  text = '';
  bytes = 0;
  /** Rejects where the stream is cut off, or its trailer is not that of its text. */
  readonly ended: Promise<unknown>;

  private constructor(
    readonly response: IncomingMessage,
    private readonly body: Readable,
    private readonly leave: () => void,
  ) {
    response.on('data', (part: Buffer) => (this.bytes += part.length));
    body.setEncoding('utf8').on('data', (part: string) => (this.text += part));
    body.on('error', () => undefined);
    this.ended = once(body, 'end');
    this.ended.catch(() => undefined);
  }

  static async open(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<GzipClient> {
    const request = requestOf(url, {
      agent: false,
      method,
      headers: { 'accept-encoding': 'gzip', ...headers },
    });
    const leave = (): void => void request.destroy();
    whenTestEnds(leave);
    request.on('error', () => undefined).end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.on('error', () => undefined); // when the test ends
    const isGzip = response.headers['content-encoding'] === 'gzip';
    // A cut fails the decoder, too.
    const body = isGzip ? pipeline(response, createGunzip(), () => undefined) : response;
    return new GzipClient(response, body, leave);
  }

  /** Looks at each part of the stream once, as there may be megabytes. */
  async until(text: string, since: 'the start' | 'now' = 'the start'): Promise<void> {
    let unseen = since === 'now' ? '' : this.text;
    const gather = (part: string): void => void (unseen += part);
    this.body.on('data', gather);
    try {
      while (!unseen.includes(text)) {
        if (this.body.readableEnded) throw new Error(`The stream has ended without ${JSON.stringify(text)}.`);
        unseen = unseen.slice(-text.length);
        await Promise.race([once(this.body, 'data'), this.ended]);
      }
    } finally {
      this.body.off('data', gather);
    }
  }

  /** Does not read any more, until `goOn()`. */
  stall(): void {
    this.response.pause();
  }

  goOn(): void {
    this.response.resume();
  }

  close(): void {
    this.leave();
  }
}
