import type { ClusterListener, SseCluster } from '../../../src/sse/cluster/cluster.js';
import { ScatterGather } from '../../../src/sse/cluster/scatter-gather.js';
import { AnnouncedMembers } from '../../../src/sse/presence/announced-members.js';
import type { Announcement } from '../../../src/sse/presence/messages.js';
import type { Member } from '../../../src/sse/presence/member.js';

export const ANN: Member = { user: 'ann', since: 1 };
export const BOB: Member = { user: 'bob', since: 2 };

export const joinOf = (stay: Member): Announcement => ({
  id: stay.user,
  type: 'join',
  channel: 'room',
  stay,
});

/** Instances that hear each other at once, but for those that are cut off. Nobody answers a question. */
export class Bus {
  readonly cutOff = new Set<string>();
  readonly #ears: {
    readonly topic: string;
    readonly instance: string;
    readonly listener: ClusterListener;
  }[] = [];

  join(instance: string) {
    const part: Pick<SseCluster, 'instance' | 'instances' | 'listen' | 'broadcast'> = {
      instance,
      instances: async () => [instance],
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
    const announced = new AnnouncedMembers(cluster, new ScatterGather(cluster, 'questions'));
    announced.start();
    return { cluster, announced };
  }
}
