import type { ClusterListener, SseCluster } from '../../../src/sse/cluster/cluster.js';
import { PresenceAnnounced, type Saying } from '../../../src/sse/presence/announced.js';
import type { Stay } from '../../../src/sse/presence/member.js';

export const ANN: Stay = { user: 'ann', since: 1 };
export const BOB: Stay = { user: 'bob', since: 2 };

export const saying = (stay: Stay): Saying => ({ id: stay.user, type: 'join', channel: 'room', stay });

/** Instances that hear each other at once, but for those that are cut off. */
export class Bus {
  readonly cutOff = new Set<string>();
  readonly #ears: {
    readonly topic: string;
    readonly instance: string;
    readonly listener: ClusterListener;
  }[] = [];

  join(instance: string) {
    const part: Pick<SseCluster, 'instance' | 'listen' | 'broadcast'> = {
      instance,
      listen: (topic, listener) => {
        this.#ears.push({ topic, instance, listener });
        return () => undefined;
      },
      broadcast: async (topic, message) => {
        if (this.cutOff.has(instance)) throw new Error('away');
        for (const ear of this.#ears)
          if (ear.topic === topic && !this.cutOff.has(ear.instance)) ear.listener(message, instance);
      },
    };
    const cluster = part as SseCluster;
    return { cluster, announced: new PresenceAnnounced(cluster) };
  }
}
