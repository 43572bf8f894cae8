import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { ReceivedLog } from '../../../src/sse/backplanes/common/received-log.js';
import { at, entry, offsetsOf, ServerLog, trial } from './local-copy.trial.js';

describe('a local copy', () => {
  it('opens with what the server has, by one read', async () => {
    const { copy, told } = await trial();
    expect(offsetsOf(copy.log)).toEqual([1, 2, 3]);
    expect(copy.log).toMatchObject({ floor: at(0), head: at(3) });
    expect(told).toEqual([]);
  });

  it('takes entries that follow each other, and each of them once', async () => {
    const it = await trial();
    for (const offset of [4, 4, 5, 3, 5, 6]) await it.add(offset);
    expect({ told: it.told, reads: it.reads }).toEqual({ told: [4, 5, 6], reads: [] });
  });

  it('puts those in order of which one was early, without a read', async () => {
    const it = await trial();
    await Promise.all([6, 5, 4].map((offset) => it.add(offset)));
    expect({ told: it.told, reads: it.reads }).toEqual({ told: [4, 5, 6], reads: [] });
  });

  it('reads what is missing before an entry, once for all, and says when it was told of', async () => {
    const it = await trial();
    it.server.grow(6);
    await Promise.all([7, 8, 9].map((offset) => it.add(offset)));
    expect(it.told).toEqual([4, 5, 6, 7, 8, 9]);
    expect(it.reads).toEqual([at(3)]);
  });

  it('does not lose what comes while it reads', async () => {
    const it = await trial();
    it.server.grow(2);
    const answer = it.hold();
    const read = it.copy.catchUp();
    const late = [it.add(7), it.add(6)];
    answer();
    await Promise.all([read, ...late]);
    expect(it.told).toEqual([4, 5, 6, 7]);
    expect(it.reads).toHaveLength(1);
  });

  it('does not wait for ever for an entry that the server has lost', async () => {
    const it = await trial();
    await it.add(9);
    expect(it.told).toEqual([]);
    expect(it.reads).toEqual([at(3)]);
    it.server.grow(1);
    await it.add(4);
    expect(it.told).toEqual([4]);
    expect(it.reads).toHaveLength(1);
  });

  it('takes entries that name an older one as known, also one that it has let go of', async () => {
    const it = await trial(3, { count: 2 });
    for (const offset of [4, 5, 6, 7]) await it.add(offset, 'a', at(3));
    await it.add(8, 'a', at(5));
    expect(it.told.filter(Number)).toEqual([4, 5, 6, 7, 8]);
    expect(it.reads).toEqual([]);
  });

  it('knows what this process appends when it has come, however little it keeps', async () => {
    const it = await trial(3, { count: 1 });
    it.copy.expect('a4');
    it.copy.expect('a6');
    await it.add(4);
    await it.add(5);
    expect([it.copy.settle('a4', 'answered'), it.copy.settle('a6', 'other')]).toEqual([true, false]);
  });

  it('knows the notices of what has come by answers, however little it keeps', async () => {
    const it = await trial(3, { count: 1 });
    for (const offset of [4, 5, 6]) {
      it.copy.expect(`a${offset}`);
      it.copy.settle(`a${offset}`, 'answered');
      await it.add(offset);
    }
    for (const offset of [4, 5, 6])
      await it.copy.receive({ kind: 'entry', position: at(offset), entry: () => entry(offset) });
    const told = it.told.filter((what) => what !== 'leaving');
    expect({ told, reads: it.reads }).toEqual({ told: [4, 5, 6], reads: [] });
  });

  it('expects no second notice of what a notice has told before the answer', async () => {
    const received = new ReceivedLog({ count: 1, bytes: Infinity, age: Infinity }, () => undefined);
    received.replace(new ServerLog('a', 3).read(undefined, []));
    received.expect('a5');
    expect(received.takeNotice(at(5))).toBe('news');
    received.add(entry(5)); // waits for the one before it
    expect(received.settle('a5', 'answered')).toBe(false);
    for (const offset of [4, 6, 7]) received.add(entry(offset)); // it is let go of
    expect(received.takeNotice(at(5))).toBe('news');
  });

  it('expects no notice of what was stored before it was subscribed to', () => {
    const received = new ReceivedLog({ count: 1, bytes: Infinity, age: Infinity }, () => undefined);
    received.expect('a1');
    received.settle('a1', 'answered');
    received.replace(new ServerLog('a', 3).read(undefined, []));
    expect(received.takeNotice(at(1))).toBe('news');
  });
});

describe('a local copy of a log that is another one now', () => {
  it('is replaced when an entry below its head has another mark than the one held there', async () => {
    const it = await trial();
    const before = it.copy.log;
    it.server = new ServerLog('b', 2);
    await it.add(2, 'b');
    expect(it.told).toEqual(['replaced', 1, 2]);
    expect(it.copy.log).not.toBe(before);
    await it.add(3, 'b');
    expect(it.told).toEqual(['replaced', 1, 2, 3]);
  });

  it.each([2, 3])('is replaced when it hears of an entry of another mark at %d, of 3', async (offset) => {
    const it = await trial();
    it.server = new ServerLog('b', offset);
    await it.copy.receive({ kind: 'entry', position: at(offset, 'b'), entry: () => entry(offset, 'b') });
    expect(it.told).toEqual(['replaced', ...[1, 2, 3].slice(0, offset)]);
  });

  it('is replaced when the next entry follows on an event of another mark', async () => {
    const it = await trial();
    it.server = new ServerLog('b', 4);
    await it.add(4, 'b');
    expect(it.told).toEqual(['replaced', 1, 2, 3, 4]);
  });

  it('is replaced when what an entry names as known was pushed out here', async () => {
    const it = await trial(9, { count: 2 });
    it.server = new ServerLog('b', 10);
    await it.add(10, 'b', at(3, 'b'));
    expect(it.told.slice(0, 1)).toEqual(['replaced']);
    expect(it.copy.log).toMatchObject({ floor: at(8, 'b'), head: at(10, 'b') });
  });

  it('is replaced when a read says that its head is not there, although the server has gone on', async () => {
    const it = await trial();
    it.server = new ServerLog('b', 5);
    await it.copy.catchUp();
    expect(it.told).toEqual(['replaced', 1, 2, 3, 4, 5]);
  });

  it('is replaced when the server has come back with less of it', async () => {
    const it = await trial(5);
    it.server = new ServerLog('a', 3);
    await it.copy.catchUp();
    expect(it.told).toEqual(['replaced', 1, 2, 3]);
  });

  it('is replaced by nothing when the channel is not there any more', async () => {
    const it = await trial();
    it.server = new ServerLog('b');
    await it.copy.catchUp();
    expect(it.told).toEqual(['replaced']);
    expect(it.copy.log).toMatchObject({ head: at(0, 'b'), isAbsent: true });
  });

  it('does not take late entries of the one before for the first ones of a channel that is not there', async () => {
    const it = await trial(2);
    it.server = new ServerLog('b');
    const late = delay(50).then(() => Promise.all([1, 2].map((offset) => it.add(offset))));
    it.noticesArrived = async () => {
      await late;
    };
    await it.copy.catchUp();
    await late;
    expect(it.told).toEqual(['replaced']);
    it.server.grow(1);
    await it.add(1, 'b');
    expect(it.told).toEqual(['replaced', 1]);
  });

  it('does not take entries of the one before that come late for new ones', async () => {
    const it = await trial();
    it.server = new ServerLog('b', 2);
    await it.copy.catchUp();
    await it.add(3);
    expect(it.told).toEqual(['replaced', 1, 2]);
    await it.add(4);
    expect(it.told).toEqual(['replaced', 1, 2]);
    it.server.grow(1);
    await it.add(3, 'b');
    expect(it.told).toEqual(['replaced', 1, 2, 3]);
  });

  it('adds no entry of another log before the read is over that has found it', async () => {
    const it = await trial(5);
    it.server = new ServerLog('b', 4);
    let added: Promise<unknown> | undefined;
    // The first two that come to the other log, at the place of the newest here and after it.
    it.noticesArrived = async () => {
      if (added) return;
      it.server.grow(2);
      added = Promise.all([5, 6].map((offset) => it.add(offset, 'b')));
    };
    await it.copy.catchUp();
    await added;
    expect(it.told).toEqual(['replaced', 1, 2, 3, 4, 5, 6]);
  });

  it('finds out about one that takes its place while it reads', async () => {
    const it = await trial();
    const answer = it.hold();
    const read = it.copy.catchUp();
    it.server = new ServerLog('b', 1);
    const added = it.add(1, 'b');
    answer();
    await Promise.all([read, added]);
    expect(it.told).toEqual(['replaced', 1]);
    expect(it.reads).toHaveLength(2);
  });
});

describe('a local copy of a log that has moved past it', () => {
  it('is replaced, as nothing proves what was between', async () => {
    const it = await trial();
    it.server.grow(6);
    it.server.trim(7);
    await it.copy.catchUp();
    expect(it.told).toEqual(['replaced', 8, 9]);
    expect(it.copy.log).toMatchObject({ floor: at(7), head: at(9) });
  });

  it('goes on by the notices that the read has overtaken, however late they are', async () => {
    const it = await trial(3, { count: 2 });
    it.server.grow(6);
    it.server.trim(7);
    it.noticesArrived = async () => {
      await delay(100);
      for (const offset of [4, 5, 6, 7, 8, 9]) void it.add(offset);
    };
    await it.copy.catchUp();
    expect(it.told.filter((what) => typeof what === 'number')).toEqual([4, 5, 6, 7, 8, 9]);
    expect(it.told).not.toContain('replaced');
  });

  it('goes on where what it has last is the last that the server has let go of', async () => {
    const it = await trial();
    it.server.grow(2);
    it.server.trim(3);
    await it.copy.catchUp();
    expect(it.told).toEqual([4, 5]);
  });
});
