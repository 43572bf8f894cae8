import { after, retryAfter } from './environment.js';
import type { ChannelsReceiver } from './transport.js';

/** Milliseconds before joins that came too fast are tried again, where the server does not say. */
const WAIT = 1_000;

/** What the server says to joins and leaves. */
interface ChangeOutcome {
  readonly positions: Readonly<Record<string, string>>;
  readonly joined: readonly string[];
  readonly denied: readonly string[];
}

/**
 * Whether one part of a request may spoil it for the others: a name that is wrong or one too many, a body that is too long, or a
 * snapshot that fails.
 */
export const isSpoilt = (status: number): boolean => [400, 413, 500].includes(status);

/** Joins channels to one open stream and leaves them, until it streams those that the client wants. */
export class ChannelSync {
  /** The channels that the stream was asked for, and that the server has not denied. */
  readonly #asked: Set<string>;
  #state: 'idle' | 'running' = 'idle';

  /**
   * @param requested the channels in the request of the stream
   * @param send sends a change
   * @param stream is given up where nothing else helps: the next one has all the channels that are wanted
   */
  constructor(
    private readonly receiver: ChannelsReceiver,
    requested: Iterable<string>,
    private readonly send: (change: object) => Promise<Response>,
    private readonly stream: AbortController,
  ) {
    this.#asked = new Set(requested);
    this.changed();
  }

  /** The client may want other channels now. */
  changed(): void {
    if (this.#state === 'running') return;
    this.#state = 'running';
    this.#run().catch(() => this.stream.abort());
  }

  async #run(): Promise<void> {
    for (;;) {
      // What is wanted in one turn goes together.
      await Promise.resolve();
      const wanted = this.receiver.position();
      const join = [...wanted].filter(([name]) => !this.#asked.has(name));
      const leave = [...this.#asked].filter((name) => !wanted.has(name));
      if (this.stream.signal.aborted || join.length + leave.length === 0) {
        this.#state = 'idle';
        return;
      }
      await this.#change(join, leave);
    }
  }

  async #change(join: readonly (readonly [string, string])[], leave: readonly string[]): Promise<void> {
    const response = await this.send({
      join: join.map(([channel, lastEventId]) => ({ channel, lastEventId })),
      leave,
    });
    const { status } = response;
    if (status === 429) {
      const wait = retryAfter(response.headers) ?? WAIT;
      return new Promise((resolve) => void after(wait, resolve));
    }
    const names = join.map(([name]) => name);
    if (isSpoilt(status) && names.length + leave.length > 1) {
      // One half after the other, so that only what is wrong is refused. Leaving makes room.
      const [joins, leaves] = [names.length, leave.length].map((length) => length >> 1);
      await this.#change(leave.length > 0 ? [] : join.slice(0, joins), leave.slice(0, leaves || 1));
      return this.#change(leave.length > 0 ? join : join.slice(joins), leave.slice(leaves || 1));
    }
    if (isSpoilt(status) && names.length > 0) {
      const { message = `${status}` } = (await response.json().catch(() => ({}))) as {
        readonly message?: string;
      };
      return this.receiver.refused(names, message);
    }
    if (!response.ok) throw new Error(`The server has answered ${status}.`);
    const { joined, positions, denied } = (await response.json()) as ChangeOutcome;
    for (const name of leave) this.#asked.delete(name);
    for (const name of joined) this.#asked.add(name);
    this.receiver.left?.(leave);
    this.receiver.joined?.(joined, positions);
    for (const channel of denied)
      this.receiver.receive({ event: 'denied', data: JSON.stringify({ channel, reason: 'forbidden' }) });
  }

  /** The server has taken a channel away. */
  forget(channel: string): void {
    this.#asked.delete(channel);
  }
}
