import { BadRequestException, PayloadTooLargeException } from '@nestjs/common';
import type { Exchange } from '../http/exchange.js';
import { parseKept, type LastEventId } from '../protocol/position.js';
import { isObject } from '../values.js';

/** The longest body with positions in bytes: those of 500 channels have about 40,000. */
const MOST_BYTES = 64 * 1024;

/**
 * The positions of a client by channel, as it sends them in the body of a request.
 *
 * @param body as the adapter has parsed it
 * @throws PayloadTooLargeException, BadRequestException
 */
export function positionsOf(body: unknown, { request }: Exchange): ReadonlyMap<string, LastEventId> {
  // The adapter takes what it was told to take. A body that came compressed, or in chunks, is measured by what is in it.
  const bytes = Math.max(Number(request.headers['content-length'] ?? 0), sizeOf(body));
  if (bytes > MOST_BYTES)
    throw new PayloadTooLargeException(
      `The body has ${bytes} bytes, at most ${MOST_BYTES} are allowed. Name fewer channels, and open a second connection for the others.`,
    );
  const { channels, ...others } = (body ?? {}) as Partial<Record<string, unknown>>;
  if (!isRecord(channels) || Object.keys(others).length > 0)
    throw new BadRequestException(
      'Send JSON: { "channels": { "<channel>": "<position>" } }, with "" as the position of a channel that has none.',
    );
  // A channel may be named like a member of Object.prototype, as "__proto__": entries are its own.
  return new Map(Object.entries(channels).map(([channel, position]) => [channel, parseKept(position)]));
}

const sizeOf = (body: unknown): number => Buffer.byteLength(JSON.stringify(body) ?? '');

const isRecord = (value: unknown): value is Record<string, string> =>
  isObject(value) && !Array.isArray(value) && Object.values(value).every((one) => typeof one === 'string');
