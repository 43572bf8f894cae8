import { describe, expect, it } from '@jest/globals';
import { ChannelDefinitions } from '../../../src/sse/channels/channel-definitions.js';
import type { SseBackplane } from '../../../src/sse/log/backplane.js';
import { PresenceLeader } from '../../../src/sse/presence/presence-leader.js';
import { moduleSettings } from '../../../src/sse/sse.settings.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { eventually } from '../../support/eventually.js';
import { ANN, Bus, joinOf } from './bus.js';

describe('an instance that leads in the place of another', () => {
  it('publishes again what nobody knows to be stored, and then announces what is so', async () => {
    const bus = new Bus();
    const [one, other] = [bus.join('one'), bus.join('other')];
    one.announced.lead([], () => undefined);
    one.announced.say(joinOf(ANN));
    const settings = moduleSettings({ presence: { events: true, grace: 0 } });
    const published: string[][] = [];
    const backplane: Pick<SseBackplane, 'append'> = {
      append: async (channel, _, { type }, publishId) => {
        published.push([channel, type ?? '', publishId ?? '']);
        return { mark: 'm', offset: published.length };
      },
    };
    const definitions = new ChannelDefinitions(settings, []);
    const ending = new AbortController();
    whenTestEnds(() => ending.abort());
    const { cluster, announced } = other;
    await new PresenceLeader(cluster, announced, definitions, backplane, settings, ending.signal).start();
    // She is on no instance, and whoever reads the channel may have read that she came.
    await eventually(() => published.length === 2);
    expect(published).toEqual([
      ['room', 'join', 'presence-ann'],
      ['room', 'leave', expect.stringMatching(/^presence-/)],
    ]);
  });
});
