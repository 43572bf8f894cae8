import { createParser } from 'eventsource-parser';
import type { TestStream } from '../../src/sse/testing/index.js';

/*
 * The wire, block by block. Users' tests are about events; tests of this package also say which bytes carry a position, a
 * `retry:` or an id line that dispatches nothing. It is read by another parser than the one in the test kit.
 */

/** Everything between two blank lines, also if it dispatches no event. */
export interface Block {
  /** As it came, without the blank line. */
  readonly raw: string;
  readonly id: string | undefined;
  readonly retry: number | undefined;
  /** The text after each colon at the beginning of a line. */
  readonly comments: readonly string[];
  /** The event that it dispatches; undefined where it has no data line, or only tells the position. */
  readonly event:
    { readonly type: string; readonly id: string | undefined; readonly text: string } | undefined;
}

/** All blocks so far. A heartbeat is one of its own, although no blank line ends it. */
export function blocksOf({ raw }: Pick<TestStream, 'raw'>): Block[] {
  const blocks: Block[] = [];
  for (let text = raw; ;) {
    const isHeartbeat = text.startsWith(':\n');
    const end = isHeartbeat ? 1 : text.indexOf('\n\n');
    if (end < 0) return blocks;
    blocks.push(parse(text.slice(0, end)));
    text = text.slice(end + (isHeartbeat ? 1 : 2));
  }
}

function parse(raw: string): Block {
  const comments: string[] = [];
  let retry: number | undefined;
  let event: Block['event'];
  const parser = createParser({
    onComment: (comment) => comments.push(comment),
    onRetry: (milliseconds) => (retry = milliseconds),
    onEvent: ({ event: type = 'message', id, data: text }) => (event = { type, id, text }),
  });
  // The parser keeps the id of a block that dispatches nothing to itself.
  const id = raw.split('\n').findLast((line) => /^id(:|$)/.test(line) && !line.includes('\0'));
  parser.feed(`${raw}\n\n`);
  if (event?.type === 'sse-position') event = undefined;
  return { raw, id: id?.replace(/^id:? ?/, ''), retry, comments, event };
}
