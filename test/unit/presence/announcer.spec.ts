import { describe, expect, it } from '@jest/globals';
import type { Saying } from '../../../src/sse/presence/announced.js';
import { PresenceAnnouncer } from '../../../src/sse/presence/announcer.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { eventually } from '../../support/eventually.js';
import { ANN, Bus, saying } from './bus.js';

describe('an instance that announces in the place of another', () => {
  it('makes a publication again of which nobody knows whether it is stored, and then says what is so', async () => {
    const bus = new Bus();
    const [one, other] = [bus.join('one'), bus.join('other')];
    one.announced.keep([]);
    one.announced.say(saying(ANN));
    const published: Saying[] = [];
    const channels = {
      hasEvents: () => true,
      graceOf: () => 0,
      remembered: async () => [],
      publish: async (said: Saying) => published.push(said),
    };
    const announcer = new PresenceAnnouncer(other.cluster, other.announced, channels, 9);
    whenTestEnds(() => announcer.stop());
    await announcer.start();
    // She is on no instance, and whoever reads the channel may have read that she came.
    await eventually(() => published.length === 2);
    expect(published).toMatchObject([saying(ANN), { type: 'leave', channel: 'room', stay: ANN }]);
  });
});
