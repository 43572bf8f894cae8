// A herd: clients that all come at once. It only reads while the server is measured, and checks afterwards.
import { connect } from 'node:net';
import { serveCommands, usage } from '../commands.js';
import { EventCheck } from '../event-check.js';
import { BenchEvents } from '../events.js';
import { ResponseBody } from '../response-body.js';

/** Bytes of an event, with its id and its share of a chunk, at most. */
const LARGEST_EVENT = 320;
const HEAD = 4_096;
const END = '0\r\n\r\n';

/** The time of all processes of this machine. */
const now = () => performance.timeOrigin + performance.now();

const streams = [];
const sockets = [];
let failure;
let settle = () => undefined;

/** Resolves when it is true of each stream. A failure is the end of it. */
function untilEach(isTrue, patience) {
  return new Promise((resolve, reject) => {
    const late = () => {
      const lacking = streams.filter((stream) => !isTrue(stream)).length;
      reject(new Error(`${lacking} of ${streams.length} streams are not there after ${patience} ms`));
    };
    const timer = setTimeout(late, patience);
    let checked = 0;
    settle = () => {
      // What is true of a stream stays true of it, so none is looked at again.
      while (checked < streams.length && isTrue(streams[checked])) checked++;
      if (!failure && checked < streams.length) return;
      clearTimeout(timer);
      settle = () => undefined;
      if (failure) reject(failure);
      else resolve();
    };
    settle();
  });
}

/** A stream whose bytes go from the socket straight into a memory of its own. */
class Stream {
  openedAt;
  completeAt;
  endedAt;
  #memory;
  #length = 0;
  #last;

  constructor(port, request, last, room) {
    this.#memory = Buffer.allocUnsafeSlow(room);
    this.#last = last;
    const onread = {
      buffer: () => this.#memory.subarray(this.#length),
      callback: (size) => this.#read(size),
    };
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread });
    sockets.push(socket);
    socket.on('error', (error) => this.#failed(error.message));
    socket.on('close', () => {
      this.endedAt = now();
      settle();
    });
    socket.write(request);
  }

  #read(size) {
    this.openedAt ??= now();
    // The end of what is looked for may have come now.
    const from = Math.max(0, this.#length - this.#last.length);
    this.#length += size;
    if (this.#length === this.#memory.length) this.#failed('more came than was published');
    if (this.completeAt === undefined && this.#memory.subarray(from, this.#length).includes(this.#last))
      this.completeAt = now();
    settle();
    return true;
  }

  #failed(what) {
    failure ??= new Error(`stream ${streams.indexOf(this) + 1}: ${what}`);
    settle();
  }

  /** How many events came, all of them right, and whether a `retry:` was the last that came before the end. */
  verdict(lines) {
    let text = this.#memory.latin1Slice(0, this.#length);
    if (text.endsWith(END)) text = text.slice(0, -END.length);
    const check = new EventCheck(lines);
    check.take(new ResponseBody().take(text));
    return { count: check.count, isSentAway: /\nretry: \d+\n\n\r\n$/.test(text) };
  }
}

serveCommands({
  usage,
  /**
   * Opens all streams at once. Resolves when each has the last event, with the times at which the last of them was open,
   * and had that.
   *
   * @param options.more events that may come later
   */
  async join({ port, count, events, more, lastEventId, patience }) {
    const request = `GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\nLast-Event-ID: ${lastEventId}\r\n\r\n`;
    const began = now();
    const last = Buffer.from(`{"seq":${events - 1},`);
    for (let i = 0; i < count; i++)
      streams.push(new Stream(port, request, last, HEAD + (events + more) * LARGEST_EVENT));
    await untilEach(({ completeAt }) => completeAt !== undefined, patience);
    const latest = (times) => times.reduce((a, b) => Math.max(a, b)) - began;
    return {
      open: latest(streams.map(({ openedAt }) => openedAt)),
      complete: latest(streams.map(({ completeAt }) => completeAt)),
    };
  },
  /** Opens streams that read nothing but their heads. */
  stall: ({ port, count }) =>
    new Promise((resolve, reject) => {
      let open = 0;
      for (let i = 0; i < count; i++) {
        const socket = connect({ port, host: '127.0.0.1' });
        sockets.push(socket);
        socket.on('error', () => undefined);
        socket.once('data', () => {
          socket.pause();
          if (++open === count) resolve();
        });
        socket.once('close', () => reject(new Error('the server closed the connection')));
        socket.write('GET /bulk HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
      }
    }),
  /** Resolves when the server has ended all streams that read. */
  ended: ({ patience }) => untilEach(({ endedAt }) => endedAt !== undefined, patience),
  /** Fails where an event is missing, doubled, out of order or changed; counts those that were sent away. */
  verdict({ seed, events }) {
    const lines = new BenchEvents(seed).lines(events);
    const all = streams.map((stream) => stream.verdict(lines));
    const short = all.filter(({ count }) => count !== events);
    if (short.length > 0)
      throw new Error(
        `${short.length} of ${all.length} streams lack events (one has ${short[0].count} of ${events})`,
      );
    return { sentAway: all.filter(({ isSentAway }) => isSentAway).length };
  },
});
