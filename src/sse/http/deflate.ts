import { constants, deflateRawSync } from 'node:zlib';
import { chunk, type SharedText } from '../protocol/event-stream.js';

/*
 * A stream of gzip (RFC 1952) that is compressed once for all its clients.
 *
 * Its deflate blocks (RFC 1951) are made apart from each other, so that each can be sent to any client. A block that was
 * flushed with Z_SYNC_FLUSH ends at a whole byte, and the next one may follow. It refers to nothing before it, or, as its
 * dictionary, to exactly the text that comes right before it: a decoder finds that in its window. So a text has two
 * compressed forms, `alone` and `chained`: the second is for clients whose last bytes were that very text. Most events
 * resemble the one before them, so it is much shorter.
 *
 * The stream has no trailer: the checksum there would have to be made for each client. Decoders that read a response as
 * it comes give what they have at the last block; curl, Node and browsers end without an error.
 */

/** The header of a stream: no name, no time, of an unknown system. */
export const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

/** Compressed bytes, as they are and as a chunk of HTTP/1.1. */
export class Block {
  #chunk: Buffer | undefined;

  constructor(readonly bytes: Buffer) {}

  get chunk(): Buffer {
    return (this.#chunk ??= chunk(this.bytes));
  }
}

/** The last block of a stream: empty, and marked as the last. */
export const LAST_BLOCK = new Block(Buffer.from([3, 0]));

const deflate = (text: string, dictionary?: Buffer): Buffer =>
  deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH, ...(dictionary && { dictionary }) });

class DeflatedText {
  #alone: Block | undefined;
  #chained: Block | undefined;

  constructor(private readonly text: string) {}

  get alone(): Block {
    return (this.#alone ??= new Block(deflate(this.text)));
  }

  chained(before: SharedText): Block {
    return (this.#chained ??= new Block(deflate(this.text, Buffer.from(before.text))));
  }
}

/**
 * A text in its compressed form.
 *
 * @param before the text that the client got right before it; undefined if that is known to no other client
 */
export function deflated(shared: SharedText, before: SharedText | undefined): Block {
  const forms = (shared.deflated ??= new DeflatedText(shared.text)) as DeflatedText;
  return before !== undefined && before === shared.follows ? forms.chained(before) : forms.alone;
}

let lastText = '';
let lastBlock: Block | undefined;

/** A text of one client. Clients whose streams were piped in the same way get the same text one after the other. */
export function deflatedText(text: string): Block {
  if (text !== lastText || !lastBlock) {
    lastText = text;
    lastBlock = new Block(deflate(text));
  }
  return lastBlock;
}

/** Whether an `Accept-Encoding` header takes gzip (RFC 9110, 12.5.3). */
export const takesGzip = (accepted: string | undefined): boolean =>
  accepted?.split(',').some((coding) => {
    const [name, weight] = coding.split(';').map((part) => part.trim().toLowerCase());
    return (name === 'gzip' || name === 'x-gzip') && !/^q=0(\.0*)?$/.test(weight ?? '');
  }) === true;
