import type { SseWills, Will } from '../../cluster/wills.js';
import { hubClosed } from '../../sse.errors.js';

/** The wills of the instances of one process. They end with it, and so does whoever could carry them out. */
export class MemoryWills implements SseWills {
  #isClosed = false;

  /**
   * @param all what the instances share
   * @param isMember whether an instance has not ended
   */
  constructor(
    private readonly instance: string,
    private readonly all: Map<string, Will>,
    private readonly isMember: (instance: string) => boolean,
  ) {}

  async leave(id: string, text: string): Promise<void> {
    this.#refuseClosed();
    this.all.set(id, { instance: this.instance, id, text });
  }

  async isThere(id: string): Promise<boolean> {
    this.#refuseClosed();
    return this.all.has(id);
  }

  async remove(id: string): Promise<void> {
    this.#refuseClosed();
    this.all.delete(id);
  }

  async orphaned(): Promise<readonly Will[]> {
    this.#refuseClosed();
    return [...this.all.values()].filter(({ instance }) => !this.isMember(instance));
  }

  close(): void {
    this.#isClosed = true;
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw hubClosed();
  }
}
