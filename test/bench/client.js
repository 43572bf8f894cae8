// The load client: a process that keeps many streams open, and checks every event of each.
import { connect } from 'node:net';
import { createGunzip } from 'node:zlib';
import { serveCommands, usage } from './commands.js';
import { EventCheck } from './event-check.js';
import { BenchEvents } from './events.js';
import { ResponseBody } from './response-body.js';

const REQUEST = 'GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n';
/** How many connections are under way at the same time, so that no queue of new ones overflows. */
const OPENING = 100;
// All sockets read into the same memory: what is in it is looked at before the next one reads.
const memory = Buffer.allocUnsafe(256 * 1024);

const checks = [];
let received = 0;
let bytes = 0;
let failure;
/** What somebody waits for: its condition, and how to say that it has come true or never will. */
let awaited;

function settle() {
  if (!awaited || (!failure && !awaited.isTrue())) return;
  const { resolve, reject, timer } = awaited;
  awaited = undefined;
  clearTimeout(timer);
  if (failure) reject(failure);
  else resolve();
}

function until(isTrue, patience, whatIsMissing) {
  return new Promise((resolve, reject) => {
    const late = () => fail(new Error(`${whatIsMissing()} after ${patience} ms`));
    awaited = { isTrue, resolve, reject, timer: setTimeout(late, patience) };
    settle();
  });
}

function fail(error) {
  failure ??= error;
  settle();
}

function openStream(port, request, expected, opened) {
  const number = checks.length + 1;
  const body = new ResponseBody();
  const checked = new EventCheck(expected);
  checks.push(checked);
  const failed = (what) => fail(new Error(`stream ${number}: ${what}`));
  const check = (text) => (received += checked.take(text));
  let take = check;
  const read = (size, buffer) => {
    bytes += size;
    try {
      const wasOpen = body.isOpen;
      const text = body.take(buffer.latin1Slice(0, size));
      if (body.isOpen && !wasOpen) {
        if (body.isGzip) take = gunzipped(check, failed);
        opened();
      }
      take(text);
    } catch (error) {
      failed(error.message);
    }
    if (awaited) settle();
    return true;
  };
  const socket = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    onread: { buffer: memory, callback: read },
  });
  socket.on('error', (error) => failed(error.message));
  socket.on('close', () => failed('the server closed the connection'));
  socket.write(request);
}

/** Takes compressed text, and hands it on as it was. */
function gunzipped(check, failed) {
  const gunzip = createGunzip();
  gunzip.on('data', (part) => {
    try {
      check(part.latin1Slice());
    } catch (error) {
      failed(error.message);
    }
    if (awaited) settle();
  });
  gunzip.on('error', (error) => failed(error.message));
  return (text) => gunzip.write(Buffer.from(text, 'latin1'));
}

function whoLacks(count) {
  const lacking = checks.filter((check) => check.count < count);
  const [first] = lacking;
  return `${lacking.length} of ${checks.length} streams lack events (stream ${checks.indexOf(first) + 1} has ${first?.count} of ${count})`;
}

serveCommands({
  usage: () => ({ ...usage(), bytes }),
  /** Opens so many streams more, from a position perhaps, and waits until each has the head of its response. */
  open({
    port,
    streams,
    events,
    seed,
    payload,
    around: [before, after] = ['', ''],
    accepts,
    lastEventId,
    atOnce = OPENING,
  }) {
    const lines = new BenchEvents(seed, payload).lines(events);
    const expected = lines.map((line) => `${before}${line}${after}`);
    const position = lastEventId === undefined ? '' : `Last-Event-ID: ${lastEventId}\r\n`;
    const coding = accepts === undefined ? '' : `Accept-Encoding: ${accepts}\r\n`;
    let open = 0;
    const next = () =>
      checks.length < streams && openStream(port, `${REQUEST}${position}${coding}\r\n`, expected, opened);
    const opened = () => {
      open++;
      next();
    };
    for (let i = 0; i < atOnce; i++) next();
    return until(
      () => open === streams,
      25_000,
      () => `${open} of ${streams} streams are open`,
    );
  },
  /** Waits until every stream has had events 0 to `count - 1`. */
  events: ({ count, patience }) =>
    until(
      () => received >= count * checks.length,
      patience,
      () => whoLacks(count),
    ),
  /** Fails when anything has been wrong, or more has come than was published. */
  verdict({ count }) {
    if (failure) throw failure;
    const talkative = checks.findIndex((check) => check.count !== count);
    if (talkative >= 0)
      throw new Error(`stream ${talkative + 1}: ${checks[talkative].count} events, not ${count}`);
  },
});
