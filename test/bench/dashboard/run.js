import { createParser } from 'eventsource-parser';
import { connectChannels } from '../../../dist/sse/client/index.js';
import { ChildProcess } from '../child.js';
import { machine } from '../machine.js';
import { digits, median } from '../report.js';

const full = { rounds: 20, openings: 100 };
const quick = { rounds: 2, openings: 5 };

/** How the bytes are asked for. */
const forms = {
  'ids of all channels': (url, channels) =>
    new Request(`${url}?${new URLSearchParams(channels.map((channel) => ['channel', channel]))}`),
  'own ids': (url, channels) =>
    new Request(url, {
      method: 'POST',
      headers: { Accept: 'text/event-stream;ids=own', 'Content-Type': 'application/json' },
      body: JSON.stringify({ channels: Object.fromEntries(channels.map((channel) => [channel, ''])) }),
    }),
};

/**
 * What a page of many channels costs: bytes on the wire, without HTTP's, and the time to its first event.
 *
 * @param {ReturnType<import('../options.js').readOptions>} options
 * @param {(line: string) => void} log
 */
export async function benchDashboard({ quick: isQuick }, log) {
  const sizes = isQuick ? quick : full;
  const server = new ChildProcess('dashboard/server.js', []);
  try {
    const url = await server.ask('url');
    const channels = await server.ask('channels');
    const published = await server.ask('publish', sizes);
    const bytes = {};
    for (const [form, ask] of Object.entries(forms))
      bytes[form] = await bytesOf(ask(url, channels), published.events);
    const times = { fetch: [], client: [] };
    for (let i = 0; i < sizes.openings; i++) {
      times.fetch.push(await timeOf(() => bytesOf(forms['own ids'](url, channels), 1)));
      times.client.push(await timeOf(() => firstEvent(url, channels)));
    }
    log(`dashboard: ${JSON.stringify({ published, bytes })}`);
    return {
      machine: machine(false),
      sizes,
      published,
      bytes,
      times,
      table: tableOf(published, bytes, times),
      isRight: true,
    };
  } finally {
    await server.kill();
  }
}

/** The bytes of a stream up to so many prices. */
async function bytesOf(request, events) {
  const stop = new AbortController();
  const response = await fetch(request, { signal: stop.signal });
  if (!response.ok) throw new Error(`The server has answered ${response.status}.`);
  let left = events;
  let bytes = 0;
  const parser = createParser({ onEvent: ({ event }) => void (event === 'price' && left--) });
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    bytes += chunk.length;
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (left <= 0) break;
  }
  stop.abort();
  return bytes;
}

async function firstEvent(url, channels) {
  const client = connectChannels(url);
  for (const name of channels) client.channel(name);
  await new Promise((resolve) => client.on('price', resolve));
  client.close();
}

async function timeOf(task) {
  const began = performance.now();
  await task();
  return performance.now() - began;
}

const tableOf = (published, bytes, times) =>
  [
    `| ${published.events} events of 51 channels, ${published.bytes} bytes of data | |`,
    '| --- | ---: |',
    ...Object.entries(bytes).map(
      ([form, count]) => `| ${form}: bytes on the wire | ${count} (${digits(count / published.bytes)} ×) |`,
    ),
    `| from the request to the first event, by fetch(): ms | ${digits(median(times.fetch))} |`,
    `| the same by the client: ms | ${digits(median(times.client))} |`,
  ].join('\n');
