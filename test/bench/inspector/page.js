// Asks for what the page of the inspector asks for: figures and the tail of the channel as streams, and the list of
// connections as often as the page draws it.
import { setTimeout as sleep } from 'node:timers/promises';
import { serveCommands } from '../commands.js';

/** As in `page/connections.ts`. */
const LIST_INTERVAL = 2_000;
const LIST_ROWS = 60;

async function answerOf(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response;
}

/** Reads a stream for as long as it goes on. */
async function stream(url) {
  const { body } = await answerOf(url);
  for await (const part of body) if (part.length === 0) break;
  throw new Error(`${url} has ended`);
}

async function list(url) {
  for (;;) {
    await (await answerOf(url)).json();
    await sleep(LIST_INTERVAL);
  }
}

serveCommands({
  look({ port }) {
    const api = `http://127.0.0.1:${port}/inspector/api`;
    return Promise.all([
      stream(`${api}/figures`),
      stream(`${api}/tail?channel=bench`),
      list(`${api}/connections?sort=since&order=down&offset=0&limit=${LIST_ROWS}`),
    ]);
  },
});
