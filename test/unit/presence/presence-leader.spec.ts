import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ChannelDefinitions } from '../../../src/sse/channels/channel-definitions.js';
import type { SseBackplane } from '../../../src/sse/log/backplane.js';
import type { Member } from '../../../src/sse/presence/member.js';
import { LOCAL } from '../../../src/sse/presence/messages.js';
import { PresenceLeader } from '../../../src/sse/presence/presence-leader.js';
import { SseError } from '../../../src/sse/sse.errors.js';
import { moduleSettings } from '../../../src/sse/sse.settings.js';
import { whenTestEnds } from '../../support/clean-up.js';
import { eventually } from '../../support/eventually.js';
import { ANN, BOB, Bus, joinOf } from './bus.js';

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

describe('a leader that cannot reach the backplane', () => {
  /** The backplane is away until it is mended. */
  async function leading() {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    whenTestEnds(() => warn.mockRestore());
    const bus = new Bus();
    const { cluster, announced } = bus.join('one');
    const settings = moduleSettings({ presence: { events: true, grace: 0 } });
    const attempts: string[] = [];
    const state = { isAway: true };
    const backplane: Pick<SseBackplane, 'append'> = {
      append: async (_, __, { type, data }) => {
        const { user } = JSON.parse(data ?? '') as Member;
        attempts.push(`${user} ${type}`);
        if (state.isAway) throw new SseError('BACKPLANE_AWAY', 'It is away.');
        return { mark: 'm', offset: attempts.length };
      },
    };
    const definitions = new ChannelDefinitions(settings, []);
    const ending = new AbortController();
    whenTestEnds(() => ending.abort());
    await new PresenceLeader(cluster, announced, definitions, backplane, settings, ending.signal).start();
    let version = 0;
    const tell = (user: string, stay?: Member): Promise<void> =>
      bus.join('other').cluster.broadcast(LOCAL, { version: ++version, channel: 'room', user, stay });
    return { state, attempts, tell, warn };
  }

  it('warns of it once, and not for each member and attempt', async () => {
    const { state, attempts, tell, warn } = await leading();
    for (const member of [ANN, BOB]) await tell(member.user, member);
    await eventually(() => attempts.length >= 4);
    expect(warn.mock.calls.map(([line]) => String(line))).toEqual([
      'A join could not be published to the channel "room": SseError: It is away.',
    ]);
    state.isAway = false;
    const failed = attempts.length;
    await eventually(() => attempts.length === failed + 2);
    expect(attempts.slice(failed).toSorted()).toEqual(['ann join', 'bob join']);
  });

  it('goes on with a join whose member has gone, as it may be stored, and then says that the member left', async () => {
    const { state, attempts, tell } = await leading();
    await tell(ANN.user, ANN);
    await eventually(() => attempts.length > 0);
    await tell(ANN.user);
    state.isAway = false;
    const failed = attempts.length;
    await eventually(() => attempts.length === failed + 2);
    expect(attempts.slice(failed)).toEqual(['ann join', 'ann leave']);
  });
});
