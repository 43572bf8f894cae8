import { whenTestEnds } from '../support/clean-up.js';
import { eventually } from '../support/eventually.js';
import { Watcher } from './watcher.js';

/** Many clients, and what each id stood for, whoever saw it. They leave when the test ends. */
export class Crowd {
  readonly watchers: Watcher[] = [];
  /** The data of every event that anyone has seen, by id. */
  readonly contents = new Map<string, string>();
  /** Ids that were seen with more than one content. */
  readonly conflicts: string[] = [];

  constructor() {
    whenTestEnds(() => this.leave());
  }

  /** Adds a client, which has no stream yet. */
  add(url: string, lastEventId = ''): Watcher {
    const saw = (id: string, data: string): void => {
      const known = this.contents.get(id);
      if (known === undefined) this.contents.set(id, data);
      else if (known !== data) this.conflicts.push(id);
    };
    const watcher = new Watcher(url, saw, lastEventId);
    this.watchers.push(watcher);
    return watcher;
  }

  /** Adds clients of an address, or one that comes back to it; resolves when all have a stream and a position. */
  async join(url: string, count = 1, lastEventId = ''): Promise<Watcher[]> {
    const joined = Array.from({ length: count }, () => this.add(url, lastEventId));
    await this.all('has a stream', ({ isListening }) => isListening);
    return joined;
  }

  /** Waits until something is true of every client. */
  async all(what: string, is: (watcher: Watcher) => boolean): Promise<void> {
    const allAre = (): boolean => {
      const dead = this.deaths;
      if (dead.length > 0) throw new Error(`Clients have died: ${dead.join(', ')}.`);
      return this.watchers.every(is);
    };
    await eventually(allAre, `every client ${what}`);
  }

  /** Waits until every client has seen the event that came last. */
  async haveSeen(id: string): Promise<void> {
    await this.all(`has seen ${id}`, ({ ids }) => ids.at(-1) === id);
  }

  get deaths(): string[] {
    return this.watchers.flatMap(({ death }) => death ?? []);
  }

  leave(): void {
    for (const watcher of this.watchers) watcher.close();
  }
}
