/** What the lines between two blank ones of an event stream say. */
export interface Block {
  /** Undefined without an id line, and where the line has a NUL. */
  readonly id: string | undefined;
  readonly type: string;
  /** Undefined without a data line: no event is dispatched then. */
  readonly data: string | undefined;
}

/** Is told what an event stream says. */
export interface BlockReceiver {
  received(block: Block): void;
  commented(text: string): void;
  retryIs(milliseconds: number): void;
}

/**
 * Reads an event stream as the HTML standard says ("9.2.6 Interpreting an event stream"). Unlike parsers for pages it also
 * tells what dispatches no event: the ids of blocks without data are what engines differ in.
 */
export class EventStreamParser {
  #state: 'new' | 'reading' | 'after CR' = 'new';
  /** The line that is not yet ended. */
  #line = '';
  #block: { id?: string; type?: string; data?: string } = {};

  constructor(private readonly receiver: BlockReceiver) {}

  feed(chunk: string): void {
    let text = chunk;
    if (this.#state === 'new') text = text.replace(/^\uFEFF/, '');
    // CR LF may have been cut in two.
    if (this.#state === 'after CR') text = text.replace(/^\n/, '');
    this.#state = chunk.endsWith('\r') ? 'after CR' : 'reading';
    const lines = (this.#line + text).split(/\r\n?|\n/);
    this.#line = lines.pop() ?? '';
    for (const line of lines) this.#read(line);
  }

  #read(line: string): void {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    const block = this.#block;
    if (name === '') this.receiver.commented(value);
    else if (name === 'event') block.type = value;
    else if (name === 'data') block.data = block.data === undefined ? value : `${block.data}\n${value}`;
    else if (name === 'id' && !value.includes('\0')) block.id = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.receiver.retryIs(Number(value));
  }

  #dispatch(): void {
    const { id, type, data } = this.#block;
    this.#block = {};
    this.receiver.received({ id, type: type || 'message', data });
  }
}
