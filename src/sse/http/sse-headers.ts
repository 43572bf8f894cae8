import type { OutgoingHttpHeaders } from 'node:http';

const UNCACHED = 'private, no-cache, no-store, must-revalidate, max-age=0';
const UNTRANSFORMED = `${UNCACHED}, no-transform`;

const headers = (cacheControl: string): OutgoingHttpHeaders => ({
  'Content-Type': 'text/event-stream',
  'Cache-Control': cacheControl,
  Pragma: 'no-cache',
  Expires: '0',
  'X-Accel-Buffering': 'no',
});

const KEEP_ALIVE: OutgoingHttpHeaders = { Connection: 'keep-alive' };

// Made once, not for each response.
const HTTP_1 = {
  transformed: { ...headers(UNCACHED), ...KEEP_ALIVE },
  untransformed: { ...headers(UNTRANSFORMED), ...KEEP_ALIVE },
};
const HTTP_2 = { transformed: headers(UNCACHED), untransformed: headers(UNTRANSFORMED) };

/**
 * The headers that Nest gives a stream: they keep caches and nginx from holding it back.
 *
 * @param isHttp1 whether the protocol knows hop-by-hop headers; HTTP/2 forbids them (RFC 9113, 8.2.2)
 * @param allowTransform whether a compression middleware or a proxy may transform the stream
 */
export function sseHeaders(isHttp1: boolean, allowTransform: boolean): OutgoingHttpHeaders {
  const { transformed, untransformed } = isHttp1 ? HTTP_1 : HTTP_2;
  return allowTransform ? transformed : untransformed;
}
