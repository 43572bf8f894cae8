import { describe, expect, it } from '@jest/globals';
import { RecentChannels } from '../../../src/sse/backplanes/nats/recent-channels.js';

const IDLE = { isIdle: true, isActive: false };
const ACTIVE = { isIdle: true, isActive: true };
const FOLLOWED = { isIdle: false, isActive: false };

/** The names that are remembered after some were used, of 10 idle ones or 20 active ones at most. */
function remembered(used: readonly (readonly [name: string, channel: typeof IDLE])[]): string[] {
  const channels = new RecentChannels({ idle: 10, active: 20 });
  for (const [name, channel] of used) channels.use(name, () => channel);
  return [...channels.keys()];
}

const many = (count: number, channel: typeof IDLE) =>
  Array.from({ length: count }, (_, i) => [`${i}`, channel] as const);

describe('the channels in NATS that an instance remembers', () => {
  it('are the idle ones that were used last', () => {
    const names = remembered([['a', IDLE], ...many(9, IDLE), ['a', IDLE], ...many(18, IDLE).slice(9)]);
    expect(names).toEqual(['a', '9', '10', '11', '12', '13', '14', '15', '16', '17']);
  });

  it('are those that are followed, which keep no other from being forgotten', () => {
    const names = remembered([['a', FOLLOWED], ['b', FOLLOWED], ...many(1_000, IDLE)]);
    expect(names).toEqual(expect.arrayContaining(['a', 'b', '999']));
    expect(names).toHaveLength(10);
  });

  it('are more where they are active', () => {
    expect(remembered(many(1_000, ACTIVE))).toHaveLength(20);
  });
});
