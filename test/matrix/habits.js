// What a client does by itself, measured with a server that answers as it is told to.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { freePort, sleep, until } from './processes.js';

/** Milliseconds in which every client that comes back has done so. */
const LONG_ENOUGH = 12_000;

const FIRST = 'retry: 200\nid: 1\ndata: first\n\n';
const stream = (response, text) => {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  response.end(text);
};

/** A server whose nth request is answered by the nth function, and all later ones by the last. */
async function serve(port, answers) {
  const requests = [];
  const server = createServer((request, response) => {
    requests.push(positionOf(request));
    answers[Math.min(requests.length, answers.length) - 1](response);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { requests, close };
}

/** The position that a client sent: where it cannot set a header, in the address. */
const positionOf = ({ headers, url }) =>
  headers['last-event-id'] ?? new URL(url, 'http://localhost').searchParams.get('lastEventId');

const withPosition = (position) => (position === '1' ? 'with its position' : 'without its position');

/** After an answer of 204. */
async function after204(openClient) {
  const port = await freePort();
  const no = (response) => response.writeHead(204).end();
  const server = await serve(port, [(response) => stream(response, FIRST), no]);
  const client = openClient(`http://127.0.0.1:${port}/`);
  try {
    if (!(await until(LONG_ENOUGH, () => server.requests.length > 1))) return 'never asks a second time';
    const asksAgain = await until(LONG_ENOUGH, () => server.requests.length > 2);
    return asksAgain ? `asks again, ${withPosition(server.requests[2])}` : 'stops';
  } finally {
    await client.stop();
    await server.close();
  }
}

/** When nobody listens for a while, after a stream that was open. */
async function afterRefusals(openClient) {
  const port = await freePort();
  const open = (response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(FIRST);
  };
  const before = await serve(port, [open]);
  const client = openClient(`http://127.0.0.1:${port}/`);
  try {
    const hasEvent = await until(LONG_ENOUGH, () => client.lines.length > 0);
    await before.close();
    if (!hasEvent) return 'gets no event';
    await sleep(3_000);
    const server = await serve(port, [open]);
    const isBack = await until(LONG_ENOUGH, () => server.requests.length > 0);
    await server.close();
    return isBack ? `comes back ${withPosition(server.requests[0])}` : 'gives up';
  } finally {
    await client.stop();
  }
}

/** After a stream that says `retry:` and nothing else, as a server that stops or is full does. */
async function afterRetry(openClient) {
  const port = await freePort();
  const answers = [FIRST, 'retry: 300\n\n', ': \n\n'].map((text) => (response) => stream(response, text));
  const server = await serve(port, answers);
  const client = openClient(`http://127.0.0.1:${port}/`);
  try {
    const isBack = await until(LONG_ENOUGH, () => server.requests.length > 2);
    return isBack ? `comes back ${withPosition(server.requests[2])}` : 'gives up';
  } finally {
    await client.stop();
    await server.close();
  }
}

/** @param openClient gets an address; gives what `start()` of processes.js gives */
export async function habitsOf(openClient) {
  const [no, refused, retry] = await Promise.all(
    [after204, afterRefusals, afterRetry].map((habit) => habit(openClient)),
  );
  return { no, refused, retry };
}
