import { connect } from 'node:net';

const REQUEST = 'GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n';

/** One open stream of an instance, which says when something has come. It wants one thing at a time. */
export class OneStream {
  #text = '';
  #wanted;

  constructor(port) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1');
    const failed = (error) => this.#wanted?.reject(error);
    socket.on('error', failed);
    socket.on('close', () => failed(new Error('the instance closed the connection')));
    socket.on('data', (text) => {
      this.#text += text;
      this.#look();
    });
    socket.write(REQUEST);
  }

  /** Resolves when the head of the response has come. */
  static async open(port) {
    const stream = new OneStream(port);
    await stream.has('\r\n\r\n');
    return stream;
  }

  /** Resolves when this has come; what came until then is forgotten. */
  has(text) {
    return new Promise((resolve, reject) => {
      this.#wanted = { text, resolve, reject };
      this.#look();
    });
  }

  #look() {
    if (!this.#wanted || !this.#text.includes(this.#wanted.text)) return;
    const { resolve } = this.#wanted;
    this.#wanted = undefined;
    this.#text = '';
    resolve();
  }
}
