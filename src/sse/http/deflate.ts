import { constants, deflateRawSync, type ZlibOptions } from 'node:zlib';
import { chunk, type SharedText } from '../protocol/event-stream.js';
import { Checksum } from './joined-crc.js';

/*
 * A stream of gzip (RFC 1952) that is compressed once for all its clients.
 *
 * Its deflate blocks (RFC 1951) are made apart from each other, so that each can be sent to any client. A block that was
 * flushed with Z_SYNC_FLUSH ends at a whole byte, and the next one may follow. It refers to nothing before it, or, as its
 * dictionary, to exactly the text that comes right before it: a decoder finds that in its window. So a text has two
 * compressed forms, alone and chained: the second is for clients whose last bytes were that very text. Most events
 * resemble the one before them, so it is much shorter.
 *
 * A client costs three numbers: which text it got last, and the checksum and the length of all it got, for the trailer.
 */

/** No name, no time, an unknown system. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

/** The last block of a stream: empty, and marked as the last. */
const LAST = [3, 0];

/** Compressed bytes, as they are and as a chunk of HTTP/1.1. */
export class Block {
  #chunk: Buffer | undefined;

  constructor(readonly bytes: Buffer) {}

  get chunk(): Buffer {
    return (this.#chunk ??= chunk(this.bytes));
  }
}

/** A block that has a text. */
class TextBlock extends Block {
  constructor(
    content: Buffer,
    readonly checksum = new Checksum(content),
    dictionary?: Buffer,
  ) {
    const fit = fitFor(content.length + (dictionary?.length ?? 0));
    const options = { ...fit, finishFlush: constants.Z_SYNC_FLUSH, ...(dictionary && { dictionary }) };
    super(deflateRawSync(content, options));
  }
}

/**
 * The least memory in which so many bytes are compressed as well as in the 268 kB that zlib takes by default: each call of
 * Node's zlib takes it anew.
 */
function fitFor(bytes: number): ZlibOptions {
  // zlib looks back as far as the window is, less 262 bytes.
  const windowBits = Math.min(15, Math.max(9, Math.ceil(Math.log2(bytes + 262))));
  return { windowBits, memLevel: Math.min(8, windowBits - 7), chunkSize: Math.min(16_384, 64 + bytes) };
}

/** Names the texts that were compressed: a client that kept the text itself would hold it in memory. */
let serial = 0;

/** The compressed forms of a text. Each is made when a client first needs it. */
class DeflatedText {
  readonly serial = ++serial;
  /** Clients that were sent it. */
  sent = 0;
  #alone: TextBlock | undefined;
  #chained: TextBlock | undefined;
  #checksum: Checksum | undefined;

  constructor(private readonly shared: SharedText) {}

  static of(shared: SharedText): DeflatedText {
    return (shared.deflated ??= new DeflatedText(shared)) as DeflatedText;
  }

  /** @param last the serial of the text that the client got right before it; 0 for a text of its own */
  after(last: number): TextBlock {
    this.sent++;
    const before = this.shared.follows;
    if (before?.deflated?.serial === last) return (this.#chained ??= this.#block(before));
    return (this.#alone ??= this.#block());
  }

  #block(before?: SharedText): TextBlock {
    const content = Buffer.from(this.shared.text);
    this.#checksum ??= new Checksum(content);
    return new TextBlock(content, this.#checksum, before && Buffer.from(before.text));
  }
}

let lastText = '';
let lastBlock: TextBlock | undefined;

/** A text of one client. Clients whose streams were piped in the same way get the same text one after the other. */
function privateBlock(text: string): TextBlock {
  if (text !== lastText || !lastBlock) {
    lastText = text;
    lastBlock = new TextBlock(Buffer.from(text));
  }
  return lastBlock;
}

/** The compressed stream of one client: every text that it is sent passes through here, in order. */
export class GzipStream {
  /** The serial of the text that it was sent last; 0 if nobody else was sent that. */
  #last = 0;
  /** The CRC-32 and the length, modulo 2³², of all it was sent: signed integers, which cost no memory of their own. */
  #crc = 0;
  #length = 0;

  /** The first bytes. */
  begin(text: string): Buffer {
    return Buffer.concat([HEADER, this.text(text).bytes]);
  }

  /** A text of this client. */
  text(text: string): Block {
    this.#last = 0;
    return this.#sent(privateBlock(text));
  }

  /** A text that many clients are sent. */
  shared(shared: SharedText): Block {
    const text = DeflatedText.of(shared);
    const block = text.after(this.#last);
    this.#last = text.serial;
    return this.#sent(block);
  }

  /** The last bytes. */
  end(): Block {
    const trailer = Buffer.alloc(8);
    trailer.writeInt32LE(this.#crc, 0);
    trailer.writeInt32LE(this.#length, 4);
    return new Block(Buffer.from([...LAST, ...trailer]));
  }

  #sent(block: TextBlock): Block {
    const { checksum } = block;
    this.#crc = checksum.after(this.#crc);
    this.#length = (this.#length + checksum.length) | 0;
    return block;
  }
}

/** Whether an `Accept-Encoding` header takes gzip (RFC 9110, 12.5.3). */
export const takesGzip = (accepted: string | undefined): boolean =>
  accepted?.split(',').some((coding) => {
    const [name, weight] = coding.split(';').map((part) => part.trim().toLowerCase());
    return (name === 'gzip' || name === 'x-gzip') && !/^q=0(\.0*)?$/.test(weight ?? '');
  }) === true;
