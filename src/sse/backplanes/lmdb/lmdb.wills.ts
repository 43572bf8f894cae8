import type { SseWills, Will } from '../../cluster/wills.js';
import { NO_CHANNEL, type CommitQueue } from './commit-queue.js';
import type { Database } from './database.js';

/**
 * Wills in a directory. One process has it at a time, so a will of another instance is that of a process that has
 * ended. Wills are written with the events, in the same transactions.
 */
export class LmdbWills implements SseWills {
  constructor(
    private readonly instance: string,
    private readonly database: Database,
    private readonly queue: CommitQueue,
  ) {}

  leave(id: string, text: string): Promise<void> {
    return this.#write(this.instance, id, text);
  }

  isThere(id: string): Promise<boolean> {
    const { wills } = this.database.tables;
    return this.queue.run('other', NO_CHANNEL, () => ({ now: wills.doesExist([this.instance, id]) }));
  }

  remove(id: string, instance = this.instance): Promise<void> {
    return this.#write(instance, id, undefined);
  }

  orphaned(): Promise<readonly Will[]> {
    return this.queue.run('other', NO_CHANNEL, () => {
      const all = [...this.database.tables.wills.getRange()];
      const wills = all.map(({ key: [instance, id], value: text }) => ({ instance, id, text }));
      return { now: wills.filter(({ instance }) => instance !== this.instance) };
    });
  }

  #write(instance: string, id: string, text: string | undefined): Promise<void> {
    return this.queue.run('other', NO_CHANNEL, (draft) => {
      draft.wills.push([instance, id, text]);
      return { afterCommit: () => undefined };
    });
  }
}
