import type { SseCluster } from '../cluster/cluster.js';
import { eventually } from './eventually.js';

/** A lease that several ask for, and who held it when. */
export class Office {
  /** Who held it, one after another. */
  readonly holders: SseCluster[] = [];
  /** Who holds it now: never more than one. */
  readonly present = new Set<SseCluster>();
  /** The most that held it at a time. */
  most = 0;

  constructor(readonly name = 'office') {}

  /** @returns gives it back */
  ask(cluster: SseCluster): () => void {
    return cluster.lead(this.name, (signal) => {
      this.holders.push(cluster);
      this.present.add(cluster);
      this.most = Math.max(this.most, this.present.size);
      signal.addEventListener('abort', () => this.present.delete(cluster));
    });
  }

  get holder(): SseCluster | undefined {
    return [...this.present][0];
  }

  /** Waits until somebody has held it as often as this, all in all. */
  async changes(count: number): Promise<void> {
    await eventually(() => this.holders.length >= count);
  }
}
