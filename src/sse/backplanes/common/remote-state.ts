import type { BackplaneState } from '../../log/backplane.js';
import { Followers } from './followers.js';
import type { CopyWatch, LocalCopy } from './local-copy.js';

/**
 * The state of a backplane on a server. It follows from two facts: whether logs can be followed, and which local copies
 * may lack events.
 *
 * ```text
 *            away()                    reachable()                    every copy was read
 *   ready ───────────▶ away ─────────────────────────────▶ behind ─────────────────────────▶ ready
 *     ▲                 │  ▲                                 │  ▲                              │
 *     │   no copies     │  └─────────────── away() ──────────┘  └──────── a read failed ───────┘
 *     └─────────────────┘
 * ```
 *
 * `close()` leads to `closed` for good, and tells nobody.
 */
export class RemoteState implements CopyWatch {
  #state: BackplaneState = { kind: 'away', since: performance.now() };
  #reach: 'away' | 'reachable' = 'away';
  readonly #stale = new Set<LocalCopy>();
  /** When all copies were up to date last, by `performance.now()`. */
  #readyUntil = performance.now();
  readonly #listeners = new Followers<(state: BackplaneState) => void>();

  get current(): BackplaneState {
    return this.#state;
  }

  /** @returns ends that */
  listen(listener: (state: BackplaneState) => void): () => void {
    const leave = this.#listeners.add(listener);
    return () => void leave();
  }

  /** No log can be followed from now on. */
  away(): void {
    this.#reach = 'away';
    this.#update();
  }

  /** Logs can be followed again. */
  reachable(): void {
    this.#reach = 'reachable';
    this.#update();
  }

  interrupted(copy: LocalCopy): void {
    this.#stale.add(copy);
    this.#update();
  }

  caughtUp(copy: LocalCopy): void {
    if (this.#stale.delete(copy)) this.#update();
  }

  close(): void {
    this.#listeners.clear();
    this.#stale.clear();
    this.#state = { kind: 'closed' };
  }

  #update(): void {
    const before = this.#state;
    const kind = this.#reach === 'away' ? 'away' : this.#stale.size > 0 ? 'behind' : 'ready';
    if (before.kind === kind || before.kind === 'closed') return;
    const now = performance.now();
    if (before.kind === 'ready') this.#readyUntil = now;
    const state = (this.#state =
      kind === 'ready' ? { kind } : { kind, since: kind === 'away' ? now : this.#readyUntil });
    this.#listeners.tell((listener) => listener(state));
  }
}
