import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from '@jest/globals';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { Channel } from '../../../src/sse/channels/channel.js';
import { ChannelDefinitions } from '../../../src/sse/channels/channel-definitions.js';
import { RunQueue } from '../../../src/sse/channels/run-queue.js';
import { storedEvent } from '../../../src/sse/log/stored-event.js';
import { moduleSettings } from '../../../src/sse/sse.settings.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void;

const TURNS = 200;
const LENGTH = 50_000;

it('a channel lets go of the batches of past turns without a collection of all memory', async () => {
  const settings = moduleSettings({ history: { count: 1 } });
  const backplane = new MemoryBackplane(settings.limits);
  const rules = new ChannelDefinitions(settings, []).rulesOf('news');
  const channel = new Channel('news', rules, 'hub', backplane, new RunQueue());
  await channel.opened;
  const turn = async (): Promise<void> => {
    const event = storedEvent({ data: 'x'.repeat(LENGTH) }, 'hub', 2 * LENGTH);
    const { offset } = await backplane.append('news', rules.settings, event);
    expect(channel.batchAfter(offset - 1).chunk.length).toBeGreaterThan(LENGTH);
  };
  collect({ type: 'major' });
  // The objects that are there now are old after two collections.
  await turn();
  for (let i = 0; i < 2; i++) collect({ type: 'minor' });
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < TURNS; i++) await turn();
  for (let i = 0; i < 2; i++) collect({ type: 'minor' });
  expect(process.memoryUsage().heapUsed - before).toBeLessThan((TURNS * LENGTH) / 4);
});
