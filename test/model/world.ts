import type { SseHub } from '../../src/sse/index.js';
import type { SseApp } from '../support/sse-app.js';
import { whenTestEnds } from '../support/clean-up.js';
import { hasFilterOption, startInstance } from './instance.js';
import type { Abilities } from './schedule.js';
import { stores, type Store, type StoreName } from './stores.js';

/** The instances of an application on their store. It is there for the present test, at the longest. */
export class World {
  readonly #instances: SseApp[] = [];

  private constructor(readonly store: Store) {}

  static async open(name: StoreName, store?: Store): Promise<World> {
    const world = new World(store ?? (await stores[name]()));
    if (!store) whenTestEnds(() => world.store.dispose());
    for (let i = 0; i < world.store.instances; i++)
      world.#instances.push(await startInstance(world.store.backplane()));
    return world;
  }

  get abilities(): Abilities {
    return { instances: this.#instances.length, hasFilterOption: hasFilterOption(this.#instances[0]!) };
  }

  hub(instance: number): SseHub {
    return this.#instances[instance]!.hub;
  }

  url(instance: number): string {
    return this.#instances[instance]!.url;
  }

  /** Runs something while instances are down, all of them by default. */
  async whileDown(
    how: 'closed' | 'killed',
    task: () => Promise<void> = async () => undefined,
    which = this.#instances.map((_, i) => i),
  ): Promise<void> {
    for (const i of which) {
      const { server, close } = this.#instances[i]!;
      if (how === 'killed') server.closeAllConnections();
      await close();
    }
    await task();
    for (const i of which)
      this.#instances[i] = await startInstance(this.store.backplane(), this.#instances[i]!.port);
  }

  async close(): Promise<void> {
    for (const { close } of this.#instances) await close();
    await this.store.dispose();
  }
}
