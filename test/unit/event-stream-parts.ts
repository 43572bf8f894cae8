import { createParser } from 'eventsource-parser';
import type { EventSourceMessage } from 'eventsource-parser';

/** What a client reads out of an event stream. */
export interface StreamParts {
  readonly events: EventSourceMessage[];
  readonly comments: string[];
  readonly retries: number[];
}

/** Reads bytes as a client does: they arrive in pieces, are UTF-8, and go through `eventsource-parser`. */
export function partsOf(pieces: Iterable<Uint8Array>): StreamParts {
  const parts: StreamParts = { events: [], comments: [], retries: [] };
  const parser = createParser({
    onEvent: (event) => parts.events.push(event),
    onComment: (comment) => parts.comments.push(comment),
    onRetry: (retry) => parts.retries.push(retry),
    onError: (error) => {
      throw error;
    },
  });
  const decoder = new TextDecoder();
  for (const piece of pieces) parser.feed(decoder.decode(piece, { stream: true }));
  parser.feed(decoder.decode());
  return parts;
}

/** The same of a text that arrives in one piece. */
export const partsOfText = (text: string): StreamParts => partsOf([Buffer.from(text)]);

/** Cuts bytes into pieces; `cuts` are places anywhere, taken modulo the length. */
export function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  const edges = [0, ...places, bytes.length];
  return edges.slice(1).map((end, i) => bytes.subarray(edges[i], end));
}
