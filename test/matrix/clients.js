// One client in a process of its own: `node clients.js <name> <url>` prints a line of JSON for each event.
// Those made for browsers get what they look for there; none gets any help beyond its own options.
import { spawn } from 'node:child_process';

const [, , name, url] = process.argv;

// Some do not keep the process alive while they wait for their next try.
setInterval(() => undefined, 60_000);

/** Events without a name, and gaps, by which a loss is seen. */
const isWanted = (name) => !name || name === 'gap';

const saw = ({ data, lastEventId, id }) => console.log(JSON.stringify({ id: lastEventId ?? id, data }));

/** Opens what has the interface of an EventSource. */
const listen = (source) => {
  // Not `onmessage`, with which reconnecting-eventsource forgets its position.
  for (const type of ['message', 'gap']) source.addEventListener(type, saw);
  // Without a listener some throw.
  source.addEventListener('error', () => undefined);
};

const likeABrowser = (more = {}) => {
  const document = { hidden: false, readyState: 'complete', addEventListener() {}, removeEventListener() {} };
  Object.assign(globalThis, { window: globalThis, document }, more);
};

/** As much of a browser's, made of `fetch()`, as a stream needs: those for Node give all at the end. */
class XMLHttpRequest extends EventTarget {
  static HEADERS_RECEIVED = 2;
  readyState = 0;
  status = 0;
  responseText = '';
  #headers = {};
  #abort = new AbortController();

  open(_method, address) {
    this.address = address;
  }

  setRequestHeader(name, value) {
    this.#headers[name] = value;
  }

  getAllResponseHeaders() {
    return '';
  }

  abort() {
    this.#abort.abort();
  }

  async send() {
    const signal = this.#abort.signal;
    try {
      const response = await fetch(this.address, { headers: this.#headers, signal });
      this.status = response.status;
      this.#tell(2, 'readystatechange');
      for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        this.responseText += text;
        this.#tell(3, 'progress');
      }
      this.#tell(4, 'load');
    } catch {
      this.#tell(4, signal.aborted ? 'abort' : 'error');
    }
  }

  #tell(readyState, type) {
    this.readyState = readyState;
    this.dispatchEvent(new Event(type));
  }
}

const fetchEventSource = async (options = {}) => {
  likeABrowser();
  const client = await import('@microsoft/fetch-event-source');
  // The event of the position has data, too.
  const onmessage = (event) => isWanted(event.event) && event.data && saw(event);
  await client.fetchEventSource(url, { onmessage, ...options });
};

/** Reads one response; gives its status, and -1 if there was none. */
const curl = (lastEventId, onId) =>
  new Promise((resolve) => {
    const header = lastEventId ? ['-H', `Last-Event-ID: ${lastEventId}`] : [];
    const child = spawn('curl', ['-sN', '-w', '\n%{http_code}', ...header, url], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
      const blocks = text.split('\n\n');
      text = blocks.pop();
      for (const block of blocks) {
        const field = (field) => new RegExp(`^${field}: ?(.*)$`, 'm').exec(block)?.[1];
        if (field('id')) onId(field('id'));
        if (field('data') && isWanted(field('event'))) saw({ id: field('id'), data: field('data') });
      }
    });
    child.on('close', () => resolve(Number(text.trim().split('\n').at(-1)) || -1));
  });

const clients = {
  undici: async () => listen(new (await import('undici')).EventSource(url)),
  eventsource: async () => listen(new (await import('eventsource')).EventSource(url)),
  'eventsource-client': async () => {
    const { createEventSource } = await import('eventsource-client');
    createEventSource({ url, onMessage: (event) => isWanted(event.event) && saw(event) });
  },
  'launchdarkly-eventsource': async () =>
    listen(new (await import('launchdarkly-eventsource')).EventSource(url)),
  'reconnecting-eventsource': async () => {
    const { EventSource } = await import('eventsource');
    likeABrowser({ EventSource });
    const { default: Reconnecting } = await import('reconnecting-eventsource');
    listen(new Reconnecting(url));
  },
  'event-source-polyfill': async () => {
    likeABrowser();
    const polyfill = await import('event-source-polyfill');
    listen(new polyfill.default.EventSourcePolyfill(url));
  },
  'sse.js': async () => {
    likeABrowser({ XMLHttpRequest });
    const { SSE } = await import('sse.js');
    listen(new SSE(url, { autoReconnect: true }));
  },
  '@microsoft/fetch-event-source': () => fetchEventSource(),
  '@microsoft/fetch-event-source, onclose throws': () =>
    fetchEventSource({
      onclose() {
        throw new Error('closed');
      },
    }),
  'eventsource-parser': async () => {
    const { EventSourceParserStream } = await import('eventsource-parser/stream');
    let id;
    for (let status = 200; status !== 204; await new Promise((resolve) => setTimeout(resolve, 200))) {
      try {
        const response = await fetch(url, { headers: id ? { 'Last-Event-ID': id } : {} });
        status = response.status;
        const events = response.body
          ?.pipeThrough(new TextDecoderStream())
          .pipeThrough(new EventSourceParserStream());
        for await (const event of events ?? []) {
          id = event.id ?? id;
          if (isWanted(event.event)) saw(event);
        }
      } catch {
        status = -1;
      }
      if (status === 204) break;
    }
  },
  curl: async () => {
    let id;
    while ((await curl(id, (next) => (id = next))) !== 204) {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  },
};

await clients[name]();
