import { randomUUID } from 'node:crypto';
import { HELD, type ClusterLink } from './cluster-link.js';
import { coalesced } from './tasks.js';

/** The work of a leader. */
interface Term {
  readonly controller: AbortController;
  /** Ends the term when the server was not heard of for too long. */
  expiry: NodeJS.Timeout;
}

/**
 * A lease that this instance asks for at each beat.
 *
 * ```text
 *              the server says yes
 *  'candidate' ──────────────────▶ Term (leads)
 *       ▲                            │   the server says no, or nothing for HELD
 *       └────────────────────────────┘
 *  'stopped': from either, for good
 * ```
 *
 * A leader never relies on the lease for longer than the server holds it. The server may hold it for longer than the
 * instance leads: see `#mayHold`.
 */
export class Lease {
  /** Identifies this lease among all that ask, also those of the same instance. */
  readonly #token = randomUUID();
  #state: 'candidate' | Term | 'stopped' = 'candidate';
  /** Whether the server may hold the lease for this token: it was asked, and has not said no. */
  #mayHold = false;
  readonly #asked = coalesced(() => this.#ask());

  constructor(
    readonly name: string,
    private readonly work: (signal: AbortSignal) => void,
    private readonly link: ClusterLink,
  ) {}

  /**
   * Asks for the lease, or for more time. If an earlier question has no answer yet, asks again after the answer, which
   * may be older than the reason for this call.
   */
  beat(): void {
    void this.#asked();
  }

  /** Ends the work at once. Resolves when the lease was given back; with whether there may have been one. */
  async stop(): Promise<boolean> {
    this.#lose('stopped');
    await this.#asked(); // waits for the question that is under way, and asks no other
    if (!this.#mayHold) return false;
    await this.link.release(this.name, this.#token);
    return true;
  }

  async #ask(): Promise<void> {
    if (this.#state === 'stopped') return;
    const askedAt = performance.now();
    const as = this.#state === 'candidate' ? 'candidate' : 'leader';
    this.#mayHold = true;
    try {
      this.#mayHold = await this.link.hold(this.name, this.#token, as);
    } catch {
      return; // The server is away. What it said before holds until the term expires.
    }
    if (this.#mayHold) this.#lead(askedAt + HELD);
    else this.#lose();
  }

  /** @param until counted from the question, as the server may have begun to count at once */
  #lead(until: number): void {
    if (this.#state === 'stopped') return;
    const left = until - performance.now();
    if (left <= 0) return this.#lose();
    const expiry = setTimeout(() => this.#lose(), left).unref();
    if (typeof this.#state === 'object') {
      clearTimeout(this.#state.expiry);
      this.#state.expiry = expiry;
    } else {
      const controller = new AbortController();
      this.#state = { controller, expiry };
      this.work(controller.signal);
    }
  }

  #lose(next: 'candidate' | 'stopped' = 'candidate'): void {
    const state = this.#state;
    if (state === 'stopped') return;
    this.#state = next;
    if (state === 'candidate') return;
    clearTimeout(state.expiry);
    state.controller.abort();
  }
}
