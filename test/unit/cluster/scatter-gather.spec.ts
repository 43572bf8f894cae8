import { describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryCluster } from '../../../src/sse/backplanes/memory/memory.cluster.js';
import { ScatterGather } from '../../../src/sse/cluster/scatter-gather.js';

const lines = (count: number, length: number): string[] =>
  Array.from({ length: count }, (_, i) => String(i).padEnd(length, '.'));

describe('a question to the other instances', () => {
  it.each([
    ['nothing', []],
    ['one thing', lines(1, 10)],
    ['much', lines(5_000, 1_000)],
    ['large things', lines(20, 50_000)],
  ])('answers with %s, in messages of no more than a limited size', async (_what, items) => {
    const bus = new MemoryBus();
    const [asking, ...others] = [new MemoryCluster(bus), new MemoryCluster(bus), new MemoryCluster(bus)];
    for (const other of others) new ScatterGather(other).answer('things', () => items);
    const lengths: number[] = [];
    asking.listen('sse-hub', (message) => lengths.push(JSON.stringify(message).length));
    const questions = new ScatterGather(asking);
    questions.answer('things', () => ['my own']);
    const { answers } = await questions.ask('things');
    expect(answers).toHaveLength(2);
    for (const other of others) expect(answers).toContainEqual({ from: other.instance, items });
    expect(Math.max(...lengths)).toBeLessThan(200_000);
  });

  it('gives each question its own answers', async () => {
    const bus = new MemoryBus();
    const [asking, other] = [new MemoryCluster(bus), new MemoryCluster(bus)];
    new ScatterGather(other).answer('double', ({ value }: { value: number }) => [value * 2]);
    const questions = new ScatterGather(asking);
    const gathered = await Promise.all([1, 2, 3].map((value) => questions.ask('double', { value })));
    expect(gathered.map(({ answers: [answer] }) => answer!.items)).toEqual([[2], [4], [6]]);
  });

  it('is over with the first who knows, if one is all there is, and with nothing where nobody knows', async () => {
    const bus = new MemoryBus();
    const [asking, one, other] = [new MemoryCluster(bus), new MemoryCluster(bus), new MemoryCluster(bus)];
    const [knows, hesitates] = [new ScatterGather(one), new ScatterGather(other)];
    knows.answer('this', async () => ['known']);
    knows.answer('that', () => []);
    hesitates.answer('this', () => new Promise(() => undefined));
    hesitates.answer('that', () => []);
    const questions = new ScatterGather(asking);
    expect(await questions.askOne('this', {}, 10_000)).toBe('known');
    expect(await questions.askOne('that', {}, 10_000)).toBeUndefined();
  });

  it.each([
    ['fails', 'things'],
    ['knows nothing of the subject', 'others'],
  ])('does not take it for nothing when one %s', async (_what, about) => {
    const bus = new MemoryBus();
    const questions = new ScatterGather(new MemoryCluster(bus));
    new ScatterGather(new MemoryCluster(bus)).answer('things', () => Promise.reject(new Error('not now')));
    await expect(questions.askOne(about, {}, 1)).rejects.toMatchObject({ code: 'BACKPLANE_AWAY' });
  });

  it('is over when the cluster is closed', async () => {
    const cluster = new MemoryCluster();
    const questions = new ScatterGather(cluster);
    await cluster.close();
    await expect(questions.ask('things')).rejects.toMatchObject({ code: 'HUB_CLOSED' });
  });
});
