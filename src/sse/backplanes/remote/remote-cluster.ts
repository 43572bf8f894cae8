import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { ClusterListener, SseCluster } from '../../hub/instances/cluster.js';
import { SseError } from '../../sse.errors.js';
import { Listeners } from '../listeners.js';
import { BEAT, type ClusterLink } from './cluster-link.js';
import { Lease } from './lease.js';

/** Milliseconds within which a call that waits for the server is answered. */
const ANSWER_TIME = 5_000;

/** Milliseconds for which a goodbye waits for the server. */
const GOODBYE_TIME = 1_000;

/** What goes from instance to instance: a message on a topic, or that a lease was given back. */
type Letter = { readonly from: string } & (
  { readonly topic: string; readonly message: unknown } | { readonly released: string }
);

/** A cluster whose instances know of each other by a server. */
export class RemoteCluster implements SseCluster {
  readonly instance = randomUUID();
  readonly #listeners = new Listeners();
  readonly #leases = new Set<Lease>();
  readonly #logger = new Logger('SseCluster');
  #beating: NodeJS.Timeout | undefined;
  #isEnrolling = false;
  #closing: Promise<void> | undefined;

  constructor(private readonly link: ClusterLink) {}

  /** Joins the others; to be awaited before all else. Rejects with what the server has against it. */
  async start(): Promise<void> {
    await this.link.open({ heard: (text) => this.#hear(text), reconnected: () => this.#beat() });
    await this.link.enrol(this.instance);
    this.#beating = setInterval(() => this.#beat(), BEAT).unref();
  }

  async broadcast(topic: string, message: unknown): Promise<void> {
    await this.#answer(() => this.#send({ from: this.instance, topic, message }));
  }

  listen(topic: string, listener: ClusterListener): () => void {
    return this.#closing ? () => undefined : this.#listeners.add(topic, listener);
  }

  lead(name: string, work: (signal: AbortSignal) => void): () => void {
    if (this.#closing) return () => undefined;
    const lease = new Lease(name, work, this.link);
    this.#leases.add(lease);
    lease.beat();
    return () => void this.#giveBack(lease);
  }

  async instances(): Promise<readonly string[]> {
    const members = await this.#answer(() => this.link.members());
    return members.includes(this.instance) ? members : [...members, this.instance];
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#leave());
  }

  async #leave(): Promise<void> {
    clearInterval(this.#beating);
    this.#listeners.clear();
    const goodbyes = [...this.#leases].map((lease) => this.#giveBack(lease));
    goodbyes.push(this.link.withdraw(this.instance));
    // Who cannot be told takes this instance for dead a little later.
    await within(GOODBYE_TIME, Promise.allSettled(goodbyes)).catch(() => undefined);
    await within(GOODBYE_TIME, this.link.close()).catch(() => undefined);
  }

  /** A sign of life, and a question for each lease. */
  #beat(): void {
    if (this.#closing) return;
    for (const lease of this.#leases) lease.beat();
    if (this.#isEnrolling) return;
    this.#isEnrolling = true;
    const enrolled = this.link.enrol(this.instance).catch(() => undefined); // the next beat tries again
    void enrolled.then(() => {
      this.#isEnrolling = false;
    });
  }

  async #giveBack(lease: Lease): Promise<void> {
    if (!this.#leases.delete(lease)) return;
    try {
      if (await lease.stop()) await this.#send({ from: this.instance, released: lease.name });
    } catch {
      // The server is away, and the lease expires. Those who missed the letter ask at their next beat.
    }
  }

  #send(letter: Letter): Promise<void> {
    return this.link.send(JSON.stringify(letter));
  }

  #hear(text: string): void {
    const letter = letterOf(text);
    if (!letter) {
      this.#logger.warn('Something that no instance sends came by. Does somebody else use this prefix?');
    } else if ('released' in letter) {
      for (const lease of this.#leases) if (lease.name === letter.released) lease.beat();
    } else {
      this.#listeners.tell(letter.topic, letter.message, letter.from);
    }
  }

  async #answer<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closing) throw closed();
    try {
      return await within(ANSWER_TIME, call());
    } catch (cause) {
      if (this.#closing) throw closed();
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new SseError('BACKPLANE_AWAY', `The other instances cannot be reached: ${reason}`, { cause });
    }
  }
}

function closed(): SseError {
  return new SseError('HUB_CLOSED', 'The application was closed.');
}

async function within<T>(milliseconds: number, outcome: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`the server did not answer within ${milliseconds} ms`));
    }, milliseconds);
  });
  try {
    return await Promise.race([outcome, late]);
  } finally {
    clearTimeout(timer);
  }
}

function letterOf(text: string): Letter | undefined {
  try {
    const letter = JSON.parse(text) as Partial<Record<string, unknown>> | null;
    const isLetter =
      typeof letter?.from === 'string' &&
      (typeof letter.topic === 'string' || typeof letter.released === 'string');
    return isLetter ? (letter as Letter) : undefined;
  } catch {
    return undefined;
  }
}
