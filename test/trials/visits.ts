import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { whenTestEnds } from '../support/clean-up.js';

/** Milliseconds after which a visit that was not answered counts as failed. */
const PATIENCE = 10_000;

/**
 * What a client met: `served`; `turned away`, with a `retry:` of the application; `away`, the answer of the proxy in the
 * place of an instance; or what has failed.
 */
export type Visit = 'served' | 'turned away' | 'away' | `failed: ${string}`;

/** New clients at a steady rate, each on a connection of its own. They come until the test ends. */
export class Visits {
  readonly outcomes: Visit[] = [];
  readonly #under: Promise<void>[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = performance.now();

  /** @param perSecond of each kind */
  constructor(
    private readonly kinds: readonly (() => Promise<Visit>)[],
    private readonly perSecond: number,
  ) {
    this.#timer = setInterval(() => this.#catchUp(), 1_000 / perSecond);
    whenTestEnds(() => clearInterval(this.#timer));
  }

  /** No more come. Resolves when all have their outcomes. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#under);
  }

  #catchUp(): void {
    const due = ((performance.now() - this.#startedAt) / 1_000) * this.perSecond * this.kinds.length;
    while (this.#under.length < due) for (const visit of this.kinds) this.#under.push(this.#run(visit));
  }

  async #run(visit: () => Promise<Visit>): Promise<void> {
    const failed = (error: unknown): Visit => `failed: ${String(error)}`;
    this.outcomes.push(await visit().catch(failed));
  }
}

/** Opens a stream, and leaves when it has its position. */
export async function stream(url: string): Promise<Visit> {
  const { response, leave } = await open('GET', url);
  let text = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
    text += chunk;
    if (!text.includes('event: sse-position')) continue;
    leave();
    break;
  }
  if (response.statusCode !== 200) return `failed: ${response.statusCode} ${text}`;
  if (text.includes('event: sse-position')) return 'served';
  return text === 'retry: 3000\n\n'
    ? 'away'
    : /^retry: \d+\n\n$/m.test(text)
      ? 'turned away'
      : `failed: ${text}`;
}

/** Posts something, which must not be lost. */
export async function post(url: string): Promise<Visit> {
  const { response } = await open('POST', url);
  await once(response.resume(), 'end');
  return response.statusCode === 201 ? 'served' : `failed: POST ${response.statusCode}`;
}

async function open(method: string, url: string) {
  const signal = AbortSignal.timeout(PATIENCE);
  const sent = request(url, { method, agent: false, signal, headers: { accept: 'text/event-stream' } });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  sent.on('error', () => undefined); // of one that leaves
  return { response, leave: () => sent.destroy() };
}
