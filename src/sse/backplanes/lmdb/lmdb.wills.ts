import type { SseWills, Will } from '../../cluster/wills.js';
import type { CommitQueue } from './commit-queue.js';
import type { Database } from './database.js';
import type { DraftedWill } from './draft.js';

/** No channel has this name. */
const NO_CHANNEL = '';

/**
 * Wills in a directory, which one process has at a time: whatever another instance has left there is that of a
 * process that has ended. They are written with the events, in the same transactions.
 */
export class LmdbWills implements SseWills {
  readonly #own = new Set<string>();

  constructor(
    private readonly instance: string,
    private readonly database: Database,
    private readonly queue: CommitQueue,
  ) {}

  async leave(id: string, text: string): Promise<void> {
    await this.#write(this.instance, id, text);
    this.#own.add(id);
  }

  isThere(id: string): Promise<boolean> {
    return this.queue.run('other', NO_CHANNEL, () => ({ now: this.#own.has(id) }));
  }

  async remove(id: string, instance = this.instance): Promise<void> {
    await this.#write(instance, id, undefined);
    if (instance === this.instance) this.#own.delete(id);
  }

  orphaned(): Promise<readonly Will[]> {
    return this.queue.run('other', NO_CHANNEL, () => {
      const all = Array.from(this.database.wills.getRange(), ({ key: [instance, id], value: text }) => ({
        instance,
        id,
        text,
      }));
      return { now: all.filter(({ instance }) => instance !== this.instance) };
    });
  }

  #write(instance: string, id: string, text: string | undefined): Promise<void> {
    return this.queue.run('other', NO_CHANNEL, (draft) => {
      draft.wills.push({ instance, id, text });
      return { afterCommit: () => undefined };
    });
  }
}

/** Writes the wills of a draft, in its transaction. */
export function writeWills(wills: readonly DraftedWill[], { wills: table }: Database): void {
  for (const { instance, id, text } of wills) {
    if (text === undefined) void table.remove([instance, id]);
    else void table.put([instance, id], text);
  }
}
