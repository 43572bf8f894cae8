const SPACE = 32;
/** Fields that make no event; the one without a name is a comment. */
const OTHER_FIELDS = new Set(['id', 'retry', '']);

/**
 * Reads an event stream and compares each event with the one that has to come: none may be missing,
 * doubled, out of order or changed. It knows only what these servers send: lines that end with LF.
 */
export class EventCheck {
  /** How many events have come, all of them right. */
  count = 0;
  #expected;
  /** What has arrived of a block whose blank line has not. */
  #rest = '';

  /** @param {readonly string[]} expected the data of every event, by its number */
  constructor(expected) {
    this.#expected = expected;
  }

  /**
   * @param {string} body the next piece of the stream
   * @returns {number} how many events were in it
   */
  take(body) {
    const before = this.count;
    const input = this.#rest === '' ? body : this.#rest + body;
    let at = 0;
    for (let end; (end = input.indexOf('\n\n', at)) >= 0; at = end + 2) this.#block(input, at, end);
    this.#rest = at === input.length ? '' : input.slice(at);
    return this.count - before;
  }

  #block(input, start, end) {
    let type = 'message';
    let data;
    for (let at = start, lineEnd; at < end; at = lineEnd + 1) {
      lineEnd = input.indexOf('\n', at);
      if (lineEnd === at) continue;
      const colon = input.indexOf(':', at);
      const valueAt = colon + (input.charCodeAt(colon + 1) === SPACE ? 2 : 1);
      const field = input.slice(at, colon);
      if (field === 'data') {
        if (data !== undefined) throw new Error(`event ${this.count} has two lines of data`);
        data = input.slice(valueAt, lineEnd);
      } else if (field === 'event') {
        type = input.slice(valueAt, lineEnd);
      } else if (!OTHER_FIELDS.has(field)) {
        throw new Error(`"${input.slice(at, Math.min(lineEnd, at + 40))}" is no line of an event stream`);
      }
    }
    // It only tells the client its position, or is a comment: no event.
    if (data === undefined || type === 'sse-position') return;
    if (type !== 'message') throw new Error(`there came an event of type "${type}": ${data.slice(0, 200)}`);
    if (data !== this.#expected[this.count]) throw new Error(this.#whatIsWrong(data));
    this.count++;
  }

  #whatIsWrong(data) {
    const seq = Number(/^\{"seq":(\d+),/.exec(data)?.[1]);
    const expected = `where event ${this.count} was due`;
    if (data !== this.#expected[seq]) return `there came what was never published, ${expected}`;
    if (seq < this.count) return `event ${seq} came again, or late, ${expected}`;
    return `event ${seq} came ${expected}`;
  }
}
