import { randomUUID } from 'node:crypto';
import { HELD, type ClusterLink } from './cluster-link.js';

/** One who asks for a lease: it waits for it, or has it and works. */
export class Lease {
  /** Tells this one from all others who ask, on this instance too. */
  readonly #token = randomUUID();
  #working: AbortController | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #asking: Promise<void> | undefined;
  /** Whether the server may have it for the holder. */
  #mayHold = false;
  /** Whether it is to be asked once more. */
  #isDue = false;
  #isStopped = false;

  constructor(
    readonly name: string,
    private readonly work: (signal: AbortSignal) => void,
    private readonly link: ClusterLink,
  ) {}

  /**
   * Asks for the lease, or goes on with it. While the answer to an earlier question is still to come, it is
   * asked once more after it: that answer may be older than what this is called for.
   */
  beat(): void {
    if (this.#isStopped) return;
    if (this.#asking) {
      this.#isDue = true;
      return;
    }
    this.#asking = this.#ask().finally(() => {
      this.#asking = undefined;
      if (!this.#isDue) return;
      this.#isDue = false;
      this.beat();
    });
  }

  /** Ends the work at once. Resolves when the lease was given back, with whether there was one. */
  async stop(): Promise<boolean> {
    this.#isStopped = true;
    this.#lose();
    await this.#asking;
    if (!this.#mayHold) return false;
    await this.link.release(this.name, this.#token);
    return true;
  }

  async #ask(): Promise<void> {
    const askedAt = performance.now();
    try {
      this.#mayHold = true;
      const isMine = await this.link.hold(this.name, this.#token, this.#working !== undefined);
      this.#mayHold = isMine;
      if (isMine) this.#keep(askedAt + HELD);
      else this.#lose();
    } catch {
      // The server is away. How long what it said before holds, the own clock knows.
    }
  }

  /** The lease is this one's until then: counted from the question, as the server may have begun to count at once. */
  #keep(until: number): void {
    if (this.#isStopped) return;
    const left = until - performance.now();
    if (left <= 0) return this.#lose();
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(() => this.#lose(), left).unref();
    if (this.#working) return;
    this.#working = new AbortController();
    this.work(this.#working.signal);
  }

  #lose(): void {
    clearTimeout(this.#expiry);
    const working = this.#working;
    this.#working = undefined;
    working?.abort();
  }
}
