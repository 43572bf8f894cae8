const LARGEST_CHUNK = 64 * 1024 * 1024;

/** Takes an HTTP/1.1 response apart as it arrives: a head that must be an event stream's, then the body. */
export class ResponseBody {
  /** Whether the head is here. */
  isOpen = false;
  isGzip = false;
  #isChunked = false;
  /** What has arrived and is not whole yet: of the head, or of a chunk. */
  #rest = '';

  /**
   * @param {string} text what has arrived, each byte as one character
   * @returns {string} what of the body is whole
   */
  take(text) {
    if (!this.isOpen) {
      this.#rest += text;
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return '';
      this.#readHead(this.#rest.slice(0, end));
      text = this.#rest.slice(end + 4);
      this.#rest = '';
    }
    return this.#isChunked ? this.#dechunked(text) : text;
  }

  #readHead(head) {
    const [status, ...lines] = head.split('\r\n');
    const fields = lines.map((line) => line.toLowerCase().split(/:\s*/));
    const valueOf = (name) => fields.find(([field]) => field === name)?.[1] ?? '';
    if (!/^HTTP\/1\.1 200( |$)/.test(status)) throw new Error(`the answer was "${status}"`);
    if (!valueOf('content-type').startsWith('text/event-stream')) throw new Error('it is no event stream');
    this.#isChunked = valueOf('transfer-encoding') === 'chunked';
    this.isGzip = valueOf('content-encoding') === 'gzip';
    this.isOpen = true;
  }

  #dechunked(text) {
    const input = this.#rest === '' ? text : this.#rest + text;
    let body = '';
    let at = 0;
    for (let end; (end = input.indexOf('\r\n', at)) >= 0;) {
      const size = sizeOf(input.slice(at, end));
      const next = end + 2 + size + 2;
      if (next > input.length) break;
      if (input.charCodeAt(next - 2) !== 13 || input.charCodeAt(next - 1) !== 10) {
        throw new Error('a chunk is not as long as it says');
      }
      body += input.slice(end + 2, next - 2);
      at = next;
    }
    this.#rest = input.slice(at);
    return body;
  }
}

function sizeOf(line) {
  if (!/^[0-9a-f]+$/i.test(line)) throw new Error(`"${line.slice(0, 20)}" is no size of a chunk`);
  const size = parseInt(line, 16);
  if (size === 0) throw new Error('the server ended the stream');
  if (size > LARGEST_CHUNK) throw new Error(`a chunk has ${size} bytes`);
  return size;
}
