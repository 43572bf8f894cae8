import type { SseCluster } from '../cluster/cluster.js';
import { eventually } from './eventually.js';
import { describeLeading } from './leading.contract.js';
import { describeOrders } from './orders.contract.js';
import type { ClusterUnderTest, Member, Instances } from './instances.js';
import type { TestGlobals } from './test-globals.js';
import { describeWills } from './wills.contract.js';

/**
 * Describes what every `SseCluster` promises, as tests of your test runner. `make` is called before each.
 *
 * @param can whether instances can be cut off from each other; then their `cutOff` and `restore` and the
 * `server` are there
 */
export function describeCluster(
  test: TestGlobals,
  name: string,
  make: () => ClusterUnderTest | Promise<ClusterUnderTest>,
  can: { readonly beCutOff: boolean },
): void {
  const { afterEach, beforeEach, describe } = test;
  describe(`the ${name} cluster`, () => {
    let made: ClusterUnderTest;
    let members: Member[];
    const join = async (): Promise<Member> => {
      const one = await made.join();
      members.push(one);
      return one;
    };
    const instances: Instances = {
      get server() {
        return made.server;
      },
      join,
      clusters: async (count) => {
        const joined = await Promise.all(Array.from({ length: count }, join));
        return joined.map(({ cluster }) => cluster);
      },
    };

    beforeEach(async () => {
      made = await make();
      members = [];
    });

    afterEach(async () => {
      for (const one of members) one.restore?.();
      await Promise.all(members.map(({ cluster }) => cluster.close()));
      await made.dispose?.();
    });

    describeBroadcasting(test, instances);
    describeLeading(test, instances, can);
    describeOrders(test, instances, can);
    describeMembership(test, instances, can);
    describeClosing(test, instances);
    describeWills(test, instances, can);
  });
}

/** Everything that an instance is told on a topic, with its sender. */
function heardBy(cluster: SseCluster, topic = 'news'): { message: unknown; from: string }[] {
  const heard: { message: unknown; from: string }[] = [];
  cluster.listen(topic, (message, from) => heard.push({ message, from }));
  return heard;
}

function describeBroadcasting(test: TestGlobals, instances: Instances): void {
  const { describe, expect, it } = test;
  describe('broadcast', () => {
    it('reaches every instance once, itself too, and says who sent it', async () => {
      const clusters = await instances.clusters(3);
      const heard = clusters.map((cluster) => heardBy(cluster));
      const message = { text: 'é\n\0😀', list: [1, null, { a: false }] };
      await clusters[1]!.broadcast('news', message);
      await clusters[1]!.broadcast('news', 'end');
      await eventually(() => heard.every((one) => one.length >= 2));
      const from = clusters[1]!.instance;
      const expected = [
        { message, from },
        { message: 'end', from },
      ];
      expect(heard).toEqual([expected, expected, expected]);
    });

    it('keeps the order of each sender', async () => {
      const clusters = await instances.clusters(3);
      const heard = clusters.map((cluster) => heardBy(cluster));
      const numbers = Array.from({ length: 100 }, (_, i) => i);
      await Promise.all(numbers.flatMap((n) => clusters.map((cluster) => cluster.broadcast('news', n))));
      await eventually(() => heard.every((one) => one.length >= 300));
      for (const one of heard) {
        for (const { instance } of clusters) {
          const ofOne = one.filter(({ from }) => from === instance);
          expect(ofOne.map(({ message }) => message)).toEqual(numbers);
        }
      }
    });

    it('sends the value as it is at the call, and tells nobody in its turn', async () => {
      const [cluster] = await instances.clusters(1);
      const heard = heardBy(cluster!);
      const message = { n: 1 };
      const sent = cluster!.broadcast('news', message);
      message.n = 2;
      expect(heard).toEqual([]);
      await sent;
      await eventually(() => heard.length > 0);
      expect(heard[0]!.message).toEqual({ n: 1 });
    });

    it('reaches those only who listen to the topic, as long as they do', async () => {
      const [one, other] = await instances.clusters(2);
      const [news, again, weather, left] = ['news', 'news', 'weather', 'news'].map((topic) => {
        const heard: unknown[] = [];
        return { heard, leave: other!.listen(topic, (message) => heard.push(message)) };
      });
      left!.leave();
      left!.leave();
      await one!.broadcast('news', 1);
      await eventually(() => again!.heard.length === 1);
      news!.leave();
      await one!.broadcast('news', 2);
      await one!.broadcast('weather', 3);
      await eventually(() => weather!.heard.length > 0);
      expect([news, again, weather, left].map((one) => one!.heard)).toEqual([[1], [1, 2], [3], []]);
    });
  });
}

function describeMembership(
  test: TestGlobals,
  instances: Instances,
  can: { readonly beCutOff: boolean },
): void {
  const { describe, expect, it } = test;
  const names = (clusters: SseCluster[]): string[] => clusters.map(({ instance }) => instance).sort();
  const seenBy = async (cluster: SseCluster): Promise<string[]> => [...(await cluster.instances())].sort();

  describe('instances', () => {
    it('are those that have joined, of different names', async () => {
      const clusters = await instances.clusters(3);
      expect(new Set(names(clusters)).size).toBe(3);
      for (const cluster of clusters) expect(await seenBy(cluster)).toEqual(names(clusters));
    });

    it('are those only that have not left', async () => {
      const [first, ...rest] = await instances.clusters(3);
      await first!.close();
      for (const cluster of rest) expect(await seenBy(cluster)).toEqual(names(rest));
      const all = [...rest, ...(await instances.clusters(1))];
      for (const cluster of all) expect(await seenBy(cluster)).toEqual(names(all));
    });

    if (!can.beCutOff) return;

    it('are those that give signs of life', async () => {
      const [one, other] = [await instances.join(), await instances.join()];
      const all = [one.cluster, other.cluster];
      expect(await seenBy(other.cluster)).toEqual(names(all));
      one.cutOff!();
      const cutOffAt = Date.now();
      await eventually(async () => (await seenBy(other.cluster)).length === 1);
      expect(Date.now() - cutOffAt).toBeLessThan(5_500);
      expect(await seenBy(other.cluster)).toEqual([other.cluster.instance]);
      one.restore!();
      await eventually(async () => (await seenBy(other.cluster)).length === 2);
      await expect(seenBy(one.cluster)).resolves.toEqual(names(all));
    }, 20_000);
  });
}

function describeClosing(test: TestGlobals, instances: Instances): void {
  const { describe, expect, it } = test;
  describe('close', () => {
    it('makes calls reject with HUB_CLOSED, and may come twice', async () => {
      const [cluster] = await instances.clusters(1);
      await Promise.all([cluster!.close(), cluster!.close()]);
      const outcomes = await Promise.allSettled([cluster!.broadcast('news', 1), cluster!.instances()]);
      const closed = expect.objectContaining({ name: 'SseError', code: 'HUB_CLOSED' });
      expect(outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason as unknown)).toEqual([
        closed,
        closed,
      ]);
    });

    it('ends all telling and all work, and nothing begins after it', async () => {
      const [one, other] = await instances.clusters(2);
      const [early, heard] = [heardBy(one!), heardBy(other!)];
      let begun = 0;
      const closed = one!.close();
      one!.lead('late', () => begun++)();
      const late = heardBy(one!);
      await closed;
      await other!.broadcast('news', 1);
      await eventually(() => heard.length === 1);
      expect([early, late, begun]).toEqual([[], [], 0]);
    });

    it('holds at once, also in the middle of a telling', async () => {
      const [one] = await instances.clusters(1);
      const told: string[] = [];
      one!.listen('news', () => {
        told.push('first');
        void one!.close();
      });
      one!.listen('news', () => told.push('second'));
      await one!.broadcast('news', 1).catch(() => undefined);
      await eventually(() => told.length > 0);
      expect(told).toEqual(['first']);
    });
  });
}
