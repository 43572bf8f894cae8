import { describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryCluster } from '../../../src/sse/backplanes/memory/memory.cluster.js';
import { ScatterGather } from '../../../src/sse/cluster/scatter-gather.js';

const lines = (count: number, length: number): string[] =>
  Array.from({ length: count }, (_, i) => String(i).padEnd(length, '.'));

describe('a survey of the other instances', () => {
  it.each([
    ['nothing', []],
    ['one thing', lines(1, 10)],
    ['much', lines(5_000, 1_000)],
    ['large things', lines(20, 50_000)],
  ])('answers with %s, in messages of no more than a limited size', async (_what, items) => {
    const bus = new MemoryBus();
    const [asking, ...others] = [new MemoryCluster(bus), new MemoryCluster(bus), new MemoryCluster(bus)];
    for (const other of others) new ScatterGather(other, () => items);
    const lengths: number[] = [];
    asking.listen('sse-hub', (message) => lengths.push(JSON.stringify(message).length));
    const survey = new ScatterGather(asking, () => ['my own']);
    const answers = await survey.ask('what?');
    expect(answers).toHaveLength(2);
    for (const other of others) expect(answers).toContainEqual({ from: other.instance, items });
    expect(Math.max(...lengths)).toBeLessThan(200_000);
  });

  it('gives each question its own answers', async () => {
    const bus = new MemoryBus();
    const [asking, other] = [new MemoryCluster(bus), new MemoryCluster(bus)];
    new ScatterGather<number>(other, (question) => [question * 2]);
    const survey = new ScatterGather<number>(asking, () => []);
    const answers = await Promise.all([1, 2, 3].map((question) => survey.ask(question)));
    expect(answers.map(([answer]) => answer!.items)).toEqual([[2], [4], [6]]);
  });

  it('is over with the first who knows, if one is all there is, and with nothing where nobody knows', async () => {
    const bus = new MemoryBus();
    const [asking, one, other] = [new MemoryCluster(bus), new MemoryCluster(bus), new MemoryCluster(bus)];
    new ScatterGather<string>(one, async (question) => (question === 'this' ? ['known'] : []));
    new ScatterGather<string>(other, (question) => (question === 'this' ? new Promise(() => undefined) : []));
    const survey = new ScatterGather<string>(asking, () => []);
    expect(await survey.askOne('this', 10_000)).toBe('known');
    expect(await survey.askOne('that', 10_000)).toBeUndefined();
  });

  it('does not take it for nothing when one does not answer', async () => {
    const bus = new MemoryBus();
    const survey = new ScatterGather(new MemoryCluster(bus), () => []);
    new ScatterGather(new MemoryCluster(bus), () => Promise.reject(new Error('not now')));
    await expect(survey.askOne('what?', 1)).rejects.toMatchObject({ code: 'BACKPLANE_AWAY' });
  });

  it('is over when the cluster is closed', async () => {
    const cluster = new MemoryCluster();
    const survey = new ScatterGather(cluster, () => []);
    await cluster.close();
    await expect(survey.ask('what?')).rejects.toMatchObject({ code: 'HUB_CLOSED' });
  });
});
