/**
 * The text of `text/event-stream`, as the HTML standard has it ("9.2.5 Parsing an event stream",
 * "9.2.6 Interpreting an event stream").
 */

/** The fields of one block. Every one is optional; `data` is text here. */
export interface EventFields {
  readonly type?: string | undefined;
  readonly retry?: number | string | undefined;
  readonly comment?: string | undefined;
  readonly data?: string | undefined;
}

// The standard ends a line at CR LF, LF or CR. The parser of the client makes LF of each.
const LINE_ENDS = /\r\n?|\n/g;

/** The lines of a field that begin with its name: one for each line of the value. */
function lines(name: string, value: string): string {
  // Nearly every value is one line. To search for a character costs a tenth of what a regular expression does.
  const text = value.includes('\n') || value.includes('\r') ? value.replace(LINE_ENDS, `\n${name}`) : value;
  return `${name}${text}\n`;
}

/** The lines of an event without its id, ended by the blank line that dispatches it. */
export function eventBody(fields: EventFields): string {
  let text = '';
  if (fields.type) text += `event: ${fields.type}\n`;
  if (fields.retry !== undefined) text += `retry: ${fields.retry}\n`;
  if (fields.comment !== undefined) text += lines(': ', fields.comment);
  if (fields.data !== undefined) text += lines('data: ', fields.data);
  return `${text}\n`;
}

/** The line that gives the event after it, or an otherwise empty block, an id. */
export const idLine = (id: string): string => `id: ${id}\n`;

/** The type of the event that only moves the client's position. */
export const POSITION_TYPE = 'sse-position';

/**
 * An event that moves the client's position, and may set how long it waits before it reconnects. It has data:
 * Firefox, WebKit and several libraries do not store the id of a block that has none, although the standard tells
 * them to ("9.2.6 Interpreting an event stream").
 */
export const positionEvent = (id: string, retry?: number): string =>
  idLine(id) + (retry === undefined ? '' : `retry: ${retry}\n`) + `event: ${POSITION_TYPE}\ndata: {}\n\n`;

/**
 * As {@link positionEvent}, but without data, so that no event is dispatched: for clients that take every event for
 * one of the application's.
 */
export const positionBlock = (id: string, retry?: number): string => idLine(id) + eventBody({ retry });

/** A block that only sets how long the client waits before it reconnects, in milliseconds. */
export const retryBlock = (retry: number): string => `retry: ${retry}\n\n`;

/** A comment. It has no blank line after it: some clients dispatch an empty event at each. */
export const HEARTBEAT = ':\n';

/**
 * The comment in the first block that tells a client how long the stream is silent at most, in milliseconds: a silence that
 * is much longer is a dead connection. A header could not be read across origins.
 */
export const heartbeatComment = (milliseconds: number): string => `: heartbeat ${milliseconds}\n`;

const HEARTBEAT_COMMENT = /^heartbeat (\d+)$/;

/** The milliseconds of such a comment, as a parser gives it; undefined for another. */
export function announcedHeartbeat(comment: string): number | undefined {
  const milliseconds = HEARTBEAT_COMMENT.exec(comment)?.[1];
  return milliseconds === undefined ? undefined : Number(milliseconds);
}

/** The data of an event, of its text: the hub sends a string as it is, and anything else as JSON. */
export function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * The form in which a client sees a text: every line end is LF, and half of a surrogate pair, which
 * UTF-8 cannot carry, is U+FFFD.
 */
export function normalText(text: string): string {
  const lines = text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
  return lines.replace(/\p{Cs}/gu, '\uFFFD');
}

/** Whether a field that must be one line (`event`, `id`) can be sent as it is. */
export const isOneLine = (text: string): boolean => !/[\r\n\0]/.test(text);

/** A chunk of HTTP/1.1's chunked transfer coding (RFC 9112, 7.1), ready to be written to a socket. */
export function chunk(content: string | Buffer): Buffer {
  const length = Buffer.byteLength(content);
  const size = length.toString(16);
  const bytes = Buffer.allocUnsafe(size.length + length + 4);
  bytes.write(size + '\r\n', 0, 'latin1');
  if (typeof content === 'string') bytes.write(content, size.length + 2, 'utf8');
  else content.copy(bytes, size.length + 2);
  bytes.write('\r\n', size.length + 2 + length, 'latin1');
  return bytes;
}

/** The compressed forms of a text (http/deflate.ts). */
export interface CompressedForms {
  /** Names the text. */
  readonly serial: number;
  /** Clients that were sent it compressed. */
  readonly sent: number;
}

/** A text that several clients get, in the forms that are written, each made once. */
export class SharedText {
  /** The text that most clients got just before this one. A compressed form may refer to it (http/deflate.ts). */
  follows: SharedText | undefined;
  /** Made when it is first sent compressed. */
  deflated: CompressedForms | undefined;
  #chunk: Buffer | undefined;

  constructor(readonly text: string) {}

  /** The text as a chunk of HTTP/1.1. */
  get chunk(): Buffer {
    return (this.#chunk ??= chunk(this.text));
  }
}
