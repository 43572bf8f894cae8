import { describe, expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import type { ClusterLink } from '../../../src/sse/backplanes/common/cluster-link.js';
import { Lease } from '../../../src/sse/backplanes/common/lease.js';

/** A server that answers when the test says so, and a lease of it. */
function leaseUnderTest() {
  const questions: { readonly as: string; readonly answer: (isMine: boolean) => void }[] = [];
  const released: string[] = [];
  const link = {
    hold: (_name: string, _token: string, as: string) =>
      new Promise<boolean>((answer) => questions.push({ as, answer })),
    release: async (name: string) => void released.push(name),
  } as Partial<ClusterLink> as ClusterLink;
  const signals: AbortSignal[] = [];
  const lease = new Lease('job', (signal) => signals.push(signal), link);
  return { lease, questions, released, signals };
}

describe('a lease', () => {
  it('is asked for once more when there was a reason to while the answer was still to come', async () => {
    const { lease, questions, signals } = leaseUnderTest();
    for (let i = 0; i < 3; i++) lease.beat();
    expect(questions).toHaveLength(1);
    questions[0]!.answer(false);
    await turn();
    expect(questions).toHaveLength(2);
    questions[1]!.answer(true);
    await turn();
    expect(questions).toHaveLength(2);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    await lease.stop();
  });

  it('that is stopped before the answer is given back after it, and nothing begins', async () => {
    const { lease, questions, released, signals } = leaseUnderTest();
    lease.beat();
    lease.beat();
    const stopped = lease.stop();
    await turn();
    expect(released).toEqual([]);
    questions[0]!.answer(true);
    expect(await stopped).toBe(true);
    expect([questions.length, released, signals]).toEqual([1, ['job'], []]);
  });
});
