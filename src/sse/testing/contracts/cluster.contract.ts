import type { ClusterListener, SseCluster } from '../../cluster/cluster.js';
import { numbers } from './channel-under-test.js';
import { eventually } from './eventually.js';
import { describeLeading } from './leading.contract.js';
import { describeOrders } from './orders.contract.js';
import type { ClusterUnderTest, Member, Instances } from './instances.js';
import { expectRefusal, type TestGlobals } from './test-globals.js';
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
      canBeCutOff: can.beCutOff,
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

    for (const way of ['broadcast', 'order'] as const) describeTelling(test, instances, way);
    describeBroadcasting(test, instances);
    describeLeading(test, instances);
    describeOrders(test, instances);
    describeMembership(test, instances);
    describeClosing(test, instances);
    describeWills(test, instances);
  });
}

type Heard = { readonly message: unknown; readonly from: string }[];

/** A way to tell all instances something. */
interface Way {
  tell(cluster: SseCluster, message: unknown): Promise<void>;
  /** @returns ends it */
  hear(cluster: SseCluster, listener: ClusterListener): () => void;
}

const WAYS: Readonly<Record<'broadcast' | 'order', Way>> = {
  broadcast: {
    tell: (cluster, message) => cluster.broadcast('news', message),
    hear: (cluster, listener) => cluster.listen('news', listener),
  },
  order: {
    tell: (cluster, order) => cluster.order(order),
    hear: (cluster, listener) =>
      cluster.obey({ given: (order, _, from) => listener(order, from), missed: () => undefined }),
  },
};

/** Everything that an instance is told from now on, until the end. */
function heardBy(cluster: SseCluster, way = WAYS.broadcast): { heard: Heard; end: () => void } {
  const heard: Heard = [];
  return { heard, end: way.hear(cluster, (message, from) => heard.push({ message, from })) };
}

/** The promises that `broadcast` and `order` share. */
function describeTelling(test: TestGlobals, instances: Instances, name: keyof typeof WAYS): void {
  const { describe, expect, it } = test;
  const way = WAYS[name];
  describe(name, () => {
    it('reaches every instance once, itself too, and says whose it is', async () => {
      const clusters = await instances.clusters(3);
      const all = clusters.map((cluster) => heardBy(cluster, way).heard);
      const sent = [{ text: 'é\n\0😀', list: [1, null, { a: false }] }, 'end'];
      for (const message of sent) await way.tell(clusters[1]!, message);
      await eventually(() => all.every((heard) => heard.length >= 2));
      const expected = sent.map((message) => ({ message, from: clusters[1]!.instance }));
      expect(all).toEqual([expected, expected, expected]);
    });

    it('sends the value as it is at the call, and tells nobody in its turn', async () => {
      const [cluster] = await instances.clusters(1);
      const { heard } = heardBy(cluster!, way);
      const message = { n: 1 };
      const sent = way.tell(cluster!, message);
      message.n = 2;
      expect(heard).toEqual([]);
      await sent;
      await eventually(() => heard.length > 0);
      expect(heard).toEqual([{ message: { n: 1 }, from: cluster!.instance }]);
    });

    it('reaches those only who were there and listen, as long as they do', async () => {
      const [one, other] = await instances.clusters(2);
      const [all, none, again] = [heardBy(other!, way), heardBy(other!, way), heardBy(other!, way)];
      none.end();
      none.end();
      await way.tell(one!, 1);
      await eventually(() => again.heard.length === 1);
      again.end();
      const late = heardBy((await instances.clusters(1))[0]!, way);
      await way.tell(one!, 2);
      await eventually(() => all.heard.length === 2 && late.heard.length > 0);
      const messages = [all, none, again, late].map(({ heard }) => heard.map(({ message }) => message));
      expect(messages).toEqual([[1, 2], [], [1], [2]]);
    });

    it('ends at once when the instance closes, also in the middle of a telling', async () => {
      const [one] = await instances.clusters(1);
      const told: string[] = [];
      way.hear(one!, () => {
        told.push('first');
        void one!.close();
      });
      way.hear(one!, () => told.push('second'));
      await way.tell(one!, 1).catch(() => undefined);
      await eventually(() => told.length > 0);
      expect(told).toEqual(['first']);
    });
  });
}

function describeBroadcasting({ describe, expect, it }: TestGlobals, instances: Instances): void {
  describe('broadcast', () => {
    it('keeps the order of each sender, and topics apart', async () => {
      const clusters = await instances.clusters(3);
      const all = clusters.map((cluster) => heardBy(cluster).heard);
      const weather: unknown[] = [];
      clusters[0]!.listen('weather', (message) => weather.push(message));
      await Promise.all([
        ...numbers(100).flatMap((n) => clusters.map((cluster) => cluster.broadcast('news', n))),
        clusters[1]!.broadcast('weather', 'fair'),
      ]);
      await eventually(() => weather.length > 0 && all.every((heard) => heard.length >= 300));
      for (const { instance: from } of clusters) {
        const expected = numbers(100).map((message) => ({ message, from }));
        for (const heard of all) expect(heard.filter((one) => one.from === from)).toEqual(expected);
      }
      expect([weather, ...all.map(({ length }) => length)]).toEqual([['fair'], 300, 300, 300]);
    });
  });
}

function describeMembership({ describe, expect, it }: TestGlobals, instances: Instances): void {
  const names = (clusters: SseCluster[]): string[] => clusters.map(({ instance }) => instance).sort();
  const seenBy = async (cluster: SseCluster): Promise<string[]> => [...(await cluster.instances())].sort();

  describe('instances', () => {
    it('are those that have joined and have not left, of different names', async () => {
      const clusters = await instances.clusters(3);
      expect(new Set(names(clusters)).size).toBe(3);
      for (const cluster of clusters) expect(await seenBy(cluster)).toEqual(names(clusters));
      const [first, ...rest] = clusters;
      await first!.close();
      for (const cluster of rest) expect(await seenBy(cluster)).toEqual(names(rest));
      const all = [...rest, ...(await instances.clusters(1))];
      for (const cluster of all) expect(await seenBy(cluster)).toEqual(names(all));
    });

    if (!instances.canBeCutOff) return;

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

function describeClosing({ describe, expect, it }: TestGlobals, instances: Instances): void {
  describe('close', () => {
    it('makes calls reject with HUB_CLOSED, and may come twice', async () => {
      const [one] = await instances.clusters(1);
      await Promise.all([one!.close(), one!.close()]);
      const { wills } = one!;
      const ofCluster = [one!.broadcast('news', 1), one!.instances(), one!.order(1), one!.away()];
      const ofWills = [wills.leave('a', 'x'), wills.isThere('a'), wills.remove('a'), wills.orphaned()];
      await expectRefusal(expect, 'HUB_CLOSED', ...ofCluster, ...ofWills);
    });

    it('ends all telling and all work, and nothing begins after it', async () => {
      const [one, other] = await instances.clusters(2);
      const hear = (cluster: SseCluster) => Object.values(WAYS).map((way) => heardBy(cluster, way).heard);
      const [early, there] = [hear(one!), hear(other!)];
      let begun = 0;
      const closed = one!.close();
      one!.lead('late', () => begun++)();
      const late = hear(one!);
      await closed;
      for (const { tell } of Object.values(WAYS)) await tell(other!, 1);
      await eventually(() => there.every(({ length }) => length === 1));
      expect([...early, ...late, begun]).toEqual([[], [], [], [], 0]);
    });
  });
}
