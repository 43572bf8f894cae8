import { describe, expect, it } from '@jest/globals';
import { ANN, BOB, Bus, joinOf } from './bus.js';

const ignored = (): void => undefined;

describe('the announced members', () => {
  it('are doubtful for the next leader where some copies have them and others have not', () => {
    const bus = new Bus();
    const { announced: one } = bus.join('one');
    const { announced: other } = bus.join('other');
    one.lead([], ignored);
    one.settled(joinOf(ANN), 'newest');
    one.release();
    other.lead(
      [
        [['room', ANN]],
        [
          ['room', ANN],
          ['room', BOB],
        ],
      ],
      ignored,
    );
    expect(other.in('room')).toEqual([
      { ...ANN, connections: 0 },
      { ...BOB, connections: 0 },
    ]);
    expect([ANN, BOB].map(({ user }) => other.isDoubtful('room', user))).toEqual([false, true]);
  });

  it('leave to the next leader the announcements that were said and are not known to be in the log', () => {
    const bus = new Bus();
    const { announced: one } = bus.join('one');
    const { announced: other } = bus.join('other');
    one.lead([], ignored);
    for (const member of [ANN, BOB]) one.say(joinOf(member));
    one.settled(joinOf(ANN), 'newest');
    const pending: string[] = [];
    other.lead([], (_, user) => pending.push(user));
    expect(pending).toEqual(['bob']);
    expect(other.pendingOf('room', 'bob')).toEqual(joinOf(BOB));
  });

  it('are told with what is pending to an instance that comes later', () => {
    const bus = new Bus();
    const { announced: one } = bus.join('one');
    one.lead([], ignored);
    one.settled(joinOf(ANN), 'newest');
    one.say(joinOf(BOB));
    const { announced: other } = bus.join('other');
    expect(other.in('room')).toEqual([{ ...ANN, connections: 0 }]);
    expect(other.pendingOf('room', 'bob')).toEqual(joinOf(BOB));
  });

  it('leave nothing pending that the whole list says is done, where that was not heard', () => {
    const bus = new Bus();
    const { announced: one } = bus.join('one');
    const { announced: other } = bus.join('other');
    one.lead([], ignored);
    one.say(joinOf(ANN));
    bus.cutOff.add('other');
    one.settled(joinOf(ANN), 'newest');
    bus.cutOff.delete('other');
    one.tellVersion();
    expect(other.in('room')).toEqual([{ ...ANN, connections: 0 }]);
    expect(other.pendingOf('room', 'ann')).toBeUndefined();
  });

  it('hear again what a leader said that was cut off', () => {
    const bus = new Bus();
    const { announced: one } = bus.join('one');
    const { announced: other } = bus.join('other');
    one.lead([], ignored);
    bus.cutOff.add('one');
    one.say(joinOf(ANN));
    one.release();
    const heard: string[] = [];
    other.lead([], (_, user) => heard.push(user));
    bus.cutOff.delete('one');
    other.tellVersion();
    expect(heard).toEqual(['ann']);
    expect(other.pendingOf('room', 'ann')).toEqual(joinOf(ANN));
  });
});
