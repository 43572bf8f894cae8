import type { SseWills, Will } from '../../cluster/wills.js';
import { hubClosed } from '../../sse.errors.js';
import type { MemoryBus } from './memory.cluster.js';

/** The wills of the instances of one process. They end with it, and so does whoever could carry them out. */
export class MemoryWills implements SseWills {
  constructor(
    private readonly instance: string,
    private readonly bus: MemoryBus,
  ) {}

  async leave(id: string, text: string): Promise<void> {
    this.#wills.set(id, { instance: this.instance, id, text });
  }

  async isThere(id: string): Promise<boolean> {
    return this.#wills.has(id);
  }

  async remove(id: string): Promise<void> {
    this.#wills.delete(id);
  }

  async orphaned(): Promise<readonly Will[]> {
    return [...this.#wills.values()].filter(({ instance }) => !this.bus.members.has(instance));
  }

  get #wills(): Map<string, Will> {
    if (!this.bus.members.has(this.instance)) throw hubClosed();
    return this.bus.wills;
  }
}
