import type { WillStore } from '../common/cluster-link.js';
import { lastTokenOf } from './layout.js';
import { orNoStream, type NatsStream, type StreamMessage } from './nats-stream.js';

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
    return (await this.#newest(this.#subject(instance, id))) !== undefined;
  }

  async remove(instance: string, id: string): Promise<void> {
    await orNoStream(this.stream.purge(this.#subject(instance, id)));
  }

  async owners(): Promise<readonly string[]> {
    const subjects = await this.#subjectsOf('*');
    return [...new Set(subjects.map((subject) => subject.split('.').at(-2) as string))];
  }

  async of(instance: string): Promise<ReadonlyMap<string, string>> {
    const wills = new Map<string, string>();
    for (const subject of await this.#subjectsOf(instance)) {
      const will = await this.#newest(subject);
      if (will) wills.set(lastTokenOf(subject), will.text);
    }
    return wills;
  }

  async #subjectsOf(instance: string): Promise<string[]> {
    return (await orNoStream(this.stream.subjects(this.#subject(instance, '*')))) ?? [];
  }

  #newest(subject: string): Promise<StreamMessage | undefined> {
    return orNoStream(this.stream.newest(subject));
  }

  #subject(instance: string, id: string): string {
    return `${this.root}.${instance}.${id}`;
  }
}
