import type { IncomingHttpHeaders } from 'node:http';

/** The server has answered with something else than a stream. */
export class StreamRefused extends Error {
  override readonly name = 'StreamRefused';

  constructor(
    /** Method and address. */
    request: string,
    readonly status: number,
    readonly headers: IncomingHttpHeaders,
    /** Parsed if it is JSON. */
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into it without a cast
    readonly body: any,
  ) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    super(
      `${request} was answered ${status}, without a stream${text === '' ? '.' : `: ${text.slice(0, 500)}`}`,
    );
  }
}
