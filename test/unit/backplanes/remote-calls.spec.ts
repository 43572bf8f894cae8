import { describe, expect, it } from '@jest/globals';
import { NotNow, RemoteCalls } from '../../../src/sse/backplanes/common/remote-calls.js';
import { remoteSettings, type RemoteOptions } from '../../../src/sse/backplanes/common/remote.options.js';

/** Calls that are answered when a test says so. */
function trial(options: RemoteOptions = {}) {
  const calls = new RemoteCalls('Server', remoteSettings({ publishTimeout: 60_000, ...options }));
  calls.up();
  const sent: { name: string; done: () => void; refuse: (error: Error) => void }[] = [];
  const run = (name: string): Promise<string> =>
    calls.run(
      'publish',
      () => new Promise((resolve, reject) => sent.push({ name, done: () => resolve(name), refuse: reject })),
    );
  const turn = (): Promise<void> => new Promise(setImmediate);
  return { calls, sent, run, turn };
}

describe('calls to a server that says that it cannot do them now', () => {
  it('are sent again when there is another, in the order in which they were made', async () => {
    const { calls, sent, run, turn } = trial();
    const outcomes = [run('a'), run('b')];
    const [a, b] = sent.splice(0);
    calls.down();
    a!.refuse(new NotNow('replica'));
    await turn();
    outcomes.push(run('c'));
    b!.refuse(new NotNow('replica'));
    await turn();
    expect(sent).toEqual([]);
    calls.up();
    expect(sent.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    for (const { done } of sent) done();
    expect(await Promise.all(outcomes)).toEqual(['a', 'b', 'c']);
  });

  it('are sent again also to the same one, after a while', async () => {
    const { sent, run } = trial();
    const outcome = run('a');
    sent.shift()!.refuse(new NotNow('no leader'));
    while (sent.length === 0) await new Promise(setImmediate);
    sent[0]!.done();
    expect(await outcome).toBe('a');
  });

  it('are refused as not sent when their time is over, or nobody is to wait', async () => {
    const refusal = { code: 'PUBLISH_REJECTED' };
    const late = trial({ publishTimeout: 50 });
    late.calls.down();
    const outcome = late.run('a');
    await expect(outcome).rejects.toMatchObject(refusal);
    const hasty = trial({ whileAway: 'fail' });
    const refused = hasty.run('a');
    hasty.sent[0]!.refuse(new NotNow('replica'));
    await expect(refused).rejects.toMatchObject(refusal);
  });

  it('are refused when the application closes', async () => {
    const { calls, sent, run, turn } = trial();
    const outcomes = [run('a'), run('b')].map((one) =>
      one.catch((error: unknown) => (error as { code: string }).code),
    );
    calls.down();
    sent[0]!.refuse(new NotNow('replica'));
    await turn();
    const closing = calls.close();
    sent[1]!.refuse(new NotNow('replica'));
    await closing;
    expect(await Promise.all(outcomes)).toEqual(['HUB_CLOSED', 'HUB_CLOSED']);
  });
});
