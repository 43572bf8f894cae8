import type { Preface } from '../streams/preface.js';
import type { ChannelSnapshots } from './channel-snapshots.js';
import type { Snapshot } from './snapshot.js';

/** How often one is made for a client while the log moves past each. */
const ATTEMPTS = 3;

/** A snapshot that a client needs before anything else of its channel. */
export class DueSnapshot implements Preface {
  #made: Snapshot | undefined;
  #attempts = 0;
  #making: Promise<void> | undefined;

  constructor(private readonly snapshots: ChannelSnapshots) {}

  take(made: () => void, failed: (error: unknown) => void): Snapshot | undefined {
    const ready = this.#ready;
    if (!ready && !this.#making) this.prepare().then(made, failed);
    return ready;
  }

  prepare(): Promise<void> {
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  /** The last one is as good as it gets, wherever the log has gone. */
  get #ready(): Snapshot | undefined {
    const made = this.#made;
    return made && (this.#attempts >= ATTEMPTS || !this.snapshots.isOutdated(made)) ? made : undefined;
  }

  async #make(): Promise<void> {
    while (!this.#ready) {
      this.#made = await this.snapshots.make();
      this.#attempts++;
    }
  }
}
