import type { SseCluster } from '../cluster/cluster.js';
import { eventually } from './eventually.js';

/** Records the holders of a lease that several instances ask for. */
export class LeaseHistory {
  /** All holders, one after another. */
  readonly holders: SseCluster[] = [];
  /** The holders at this moment: never more than one. */
  readonly present = new Set<SseCluster>();
  /** The most that held it at a time. */
  most = 0;

  constructor(readonly name = 'lease') {}

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
