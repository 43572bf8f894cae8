import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClientPlan, Cut } from './schedule.js';

export interface Message {
  readonly type: string;
  readonly data: string;
}

/** Who has the client, and is told what it sees. */
export interface ClientOwner {
  /** Where it connects to, on whichever instance. */
  address(): string;
  connecting(lastEventId: string): void;
  /** A block with an id has come, and is dispatched next. */
  positioned(): void;
  message(message: Message): void;
  /** The server answered with something that is no stream. */
  refused(status: number): void;
}

/** Milliseconds after which a client comes back that the server has left. */
const RETRY = 2;

/**
 * A client of a stream, as small as it can be: it resumes by `Last-Event-ID`, and a cut, a stall or a slow
 * reader can be made of it at any time.
 */
export class StreamClient {
  /** With own ids all of them in one. */
  lastEventId = '';
  /** By channel, with own ids. */
  readonly #ids = new Map<string, string>();
  /** Whether it had read everything at once since its response began. */
  keepsUp = true;
  #state: 'on' | 'left' | 'over' = 'on';
  #away = RETRY;
  #request: ClientRequest | undefined;
  #isPaused = false;
  #response: IncomingMessage | undefined;
  /** Leaves the present response as it is: nobody reads it, and the server is not told. */
  #abandon: (() => void) | undefined;
  readonly #abandoned: IncomingMessage[] = [];
  readonly #life: Promise<void>;

  constructor(
    private readonly owner: ClientOwner,
    private readonly plan: Pick<ClientPlan, 'engine' | 'slowness' | 'ids'>,
  ) {
    this.#life = this.#live();
  }

  /** Whether the server said that there is nothing more to come. */
  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Breaks the connection, and comes back after so many milliseconds. */
  cut(how: Cut, away: number): void {
    this.#away = away;
    this.#isPaused = false;
    if (how === 'stall' && this.#abandon) return this.#abandon();
    if (how === 'RST') this.#request?.socket?.resetAndDestroy();
    this.#request?.destroy();
  }

  pause(): void {
    this.#isPaused = true;
    this.keepsUp = false;
    this.#response?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#response?.resume();
  }

  /** Leaves for good. */
  async close(): Promise<void> {
    if (this.#state === 'on') this.#state = 'left';
    this.cut('FIN', 0);
    for (const response of this.#abandoned) response.destroy();
    await this.#life;
  }

  async #live(): Promise<void> {
    while (this.#state === 'on') {
      await this.#connect().catch(() => undefined); // refused while an instance restarts, or cut
      await delay(this.#away);
      this.#away = RETRY;
    }
  }

  async #connect(): Promise<void> {
    this.#abandon = this.#response = undefined;
    this.owner.connecting(this.lastEventId);
    const position = this.lastEventId === '' ? {} : { 'last-event-id': this.lastEventId };
    const accept = this.plan.ids === 'own' ? 'text/event-stream;ids=own' : 'text/event-stream';
    const sent = request(this.owner.address(), { agent: false, headers: { accept, ...position } });
    this.#request = sent;
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    sent.on('error', () => undefined);
    this.keepsUp = !this.#isPaused && this.plan.slowness === 0;
    if (response.statusCode !== 200) {
      if (response.statusCode === 204) this.#state = 'over';
      this.owner.refused(response.statusCode!);
      response.resume();
      return;
    }
    await new Promise<void>((resolve) => {
      this.#abandon = () => {
        this.#abandoned.push(response.pause().removeAllListeners('data'));
        resolve();
      };
      response.once('close', resolve);
      this.#listen(response);
    });
  }

  #listen(response: IncomingMessage): void {
    this.#response = response;
    let text = '';
    response.setEncoding('utf8').on('data', (piece: string) => {
      const parts = (text + piece).split('\n\n');
      text = parts.pop()!; // what no blank line ends never counts
      for (const block of parts) {
        this.#read(block);
      }
      const { slowness } = this.plan;
      if (slowness === 0) return;
      response.pause();
      setTimeout(() => this.#isPaused || response.resume(), slowness);
    });
    if (this.#isPaused) response.pause();
  }

  #read(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      fields.set(name, value); // the hub's data here is of one line
    }
    const id = fields.get('id');
    const data = fields.get('data');
    const type = fields.get('event') ?? 'message';
    if (id !== undefined) this.owner.positioned();
    if (id !== undefined && (data !== undefined || this.plan.engine === 'strict')) this.#keep(id);
    if (data !== undefined && type !== 'sse-position') this.owner.message({ type, data });
  }

  #keep(id: string): void {
    this.lastEventId = id;
    if (!this.#response?.headers['content-type']?.includes('ids=own')) return;
    for (const part of id.split('&')) this.#ids.set(part.split('=', 1)[0]!, part);
    this.lastEventId = [...this.#ids.values()].join('&');
  }
}
