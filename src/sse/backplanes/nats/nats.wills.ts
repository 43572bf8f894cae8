import type { WillStore } from '../common/cluster-link.js';
import { orNoStream, type NatsStream } from './nats-stream.js';

/** Wills, each the last message of its subject `<root>.<instance>.<id>`. The stream is made for the first one. */
export class NatsWills implements WillStore {
  constructor(
    private readonly stream: NatsStream,
    private readonly root: string,
  ) {}

  async put(instance: string, id: string, text: string): Promise<void> {
    await this.stream.publishOrMake(this.#subject(instance, id), text);
  }

  async has(instance: string, id: string): Promise<boolean> {
    return (await this.#textOf(instance, id)) !== undefined;
  }

  async remove(instance: string, id: string): Promise<void> {
    await orNoStream(this.stream.purge(this.#subject(instance, id)));
  }

  async owners(): Promise<readonly string[]> {
    const all = await this.#namesOf('*');
    return [...new Set(all.map(([instance]) => instance))];
  }

  async of(instance: string): Promise<ReadonlyMap<string, string>> {
    const wills = new Map<string, string>();
    for (const [, id] of await this.#namesOf(instance)) {
      const text = await this.#textOf(instance, id);
      if (text !== undefined) wills.set(id, text);
    }
    return wills;
  }

  async #namesOf(instance: string): Promise<[instance: string, id: string][]> {
    const subjects = (await orNoStream(this.stream.subjects(this.#subject(instance, '*')))) ?? [];
    return subjects.map((subject) => subject.split('.').slice(-2) as [instance: string, id: string]);
  }

  async #textOf(instance: string, id: string): Promise<string | undefined> {
    return (await orNoStream(this.stream.newest(this.#subject(instance, id))))?.text;
  }

  #subject(instance: string, id: string): string {
    return `${this.root}.${instance}.${id}`;
  }
}
