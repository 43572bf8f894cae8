import { backplaneChanged } from '../diagnostics/diagnostics.js';
import type { ReachableState } from '../diagnostics/messages.js';
import type { SseBackplane } from './backplane.js';

/** Tells listeners in this process of the state of the backplane (diagnostics/diagnostics.ts). */
export class BackplaneDiagnostics {
  #state: ReachableState;
  #since = performance.now();

  constructor(
    private readonly hub: string,
    backplane: SseBackplane,
  ) {
    this.#state = backplane.state().kind as ReachableState; // it is not closed before it was used
    backplane.onStateChange?.(({ kind }) => this.#changed(kind as ReachableState));
  }

  #changed(state: ReachableState): void {
    const { hub } = this;
    const before = this.#state;
    const now = performance.now();
    const duration = now - this.#since;
    this.#state = state;
    this.#since = now;
    if (backplaneChanged.hasSubscribers) backplaneChanged.publish({ hub, state, before, duration });
  }
}
