import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { atDeadline } from '../../../src/sse/backplanes/common/deadline.js';
import { giveUpAfter } from '../../../src/sse/backplanes/common/tasks.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { holdLoop } from '../../support/hold-loop.js';

/** The two ends of a connection. What is written to one has arrived at the other, which reads it in a later turn. */
async function connection(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
    [Socket],
    unknown,
  ];
  whenTestEnds(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return { near, far };
}

const deadline = (milliseconds: number): Promise<string> =>
  new Promise((resolve) => atDeadline(milliseconds, () => resolve('late')));

describe('a deadline that passes while the event loop is held', () => {
  it('counts after what has arrived until then was read', async () => {
    const { near, far } = await connection();
    const heard = once(near, 'data').then(() => 'heard');
    const late = deadline(50);
    far.write('answer');
    holdLoop(100);
    expect(await Promise.race([late, heard])).toBe('heard');
    expect(await late).toBe('late');
  });

  it('does not end a task whose answer has arrived', async () => {
    const { near, far } = await connection();
    const answer = giveUpAfter(50, () => once(near, 'data'));
    far.write('answer');
    holdLoop(100);
    expect(String(await answer)).toBe('answer');
  });

  it('can be cancelled until it counts', async () => {
    let isLate = false;
    const cancel = atDeadline(50, () => (isLate = true));
    // Longer than the other, and so over after it, in the same turn.
    const over = new Promise((resolve) => setTimeout(resolve, 60));
    holdLoop(100);
    await over;
    cancel();
    await new Promise(setImmediate);
    expect(isLate).toBe(false);
  });
});
