import type { OutgoingHttpHeaders } from 'node:http';

const UNCACHED = 'private, no-cache, no-store, must-revalidate, max-age=0';

/**
 * The headers that Nest gives a stream: they keep caches and nginx from holding it back.
 *
 * @param isHttp1 whether the protocol knows hop-by-hop headers; HTTP/2 forbids them (RFC 9113, 8.2.2)
 * @param allowTransform whether a compression middleware or a proxy may transform the stream
 */
export function sseHeaders(isHttp1: boolean, allowTransform: boolean): OutgoingHttpHeaders {
  return {
    'Content-Type': 'text/event-stream',
    ...(isHttp1 && { Connection: 'keep-alive' }),
    'Cache-Control': allowTransform ? UNCACHED : `${UNCACHED}, no-transform`,
    Pragma: 'no-cache',
    Expires: '0',
    'X-Accel-Buffering': 'no',
  };
}
