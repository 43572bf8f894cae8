import { describe, expect, it } from '@jest/globals';
import type { Saying } from '../../../src/sse/presence/announced.js';
import { ANN, BOB, Bus, saying } from './bus.js';

describe('what was announced of who comes and goes', () => {
  it('is doubtful for who keeps it next where some have heard of it and others have not', () => {
    const bus = new Bus();
    const { announced: one } = bus.join('one');
    const { announced: other } = bus.join('other');
    one.keep([]);
    one.add('room', ANN);
    one.release();
    other.keep([
      [['room', ANN]],
      [
        ['room', ANN],
        ['room', BOB],
      ],
    ]);
    expect([...other.in('room')]).toEqual([ANN, BOB]);
    expect([ANN, BOB].map(({ user }) => other.isDoubtful('room', user))).toEqual([false, true]);
  });

  it('is known to who keeps it next when it was said and not yet done', () => {
    const bus = new Bus();
    const { announced: one } = bus.join('one');
    const { announced: other } = bus.join('other');
    one.keep([]);
    for (const stay of [ANN, BOB]) one.say(saying(stay));
    one.said(saying(ANN));
    one.add('room', ANN);
    expect([...other.sayings]).toEqual([saying(BOB)]);
  });

  it('is said again to who keeps it next by an instance that was cut off when it said it', () => {
    const bus = new Bus();
    const { announced: one } = bus.join('one');
    const { announced: other } = bus.join('other');
    one.keep([]);
    bus.cutOff.add('one');
    one.say(saying(ANN));
    one.release();
    const heard: Saying[] = [];
    other.heardSaying = (said) => heard.push(said);
    other.keep([]);
    bus.cutOff.delete('one');
    other.tellVersion();
    expect(heard).toEqual([saying(ANN)]);
  });
});
