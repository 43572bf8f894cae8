import { describe, expect, it } from '@jest/globals';
import { CopyMemory } from '../../../src/sse/backplanes/common/copy-memory.js';
import type { Position } from '../../../src/sse/protocol/position.js';
import { at, ServerLog, Trial, trial } from './local-copy.trial.js';

describe('a local copy that lets go of entries', () => {
  it('offers them first, of what it keeps itself', async () => {
    const it = await trial(3, { count: 3 });
    const sizes: number[] = [];
    it.leaving = () => sizes.push(it.copy.log.size);
    for (const offset of [4, 5, 6, 7]) await it.add(offset);
    // What is offered is all there is, so the next that goes needs no word.
    expect(sizes).toEqual([3, 3]);
    expect(it.told).toEqual([4, 5, 6, 7]);
  });

  it('offers them first when others take all the memory', async () => {
    const memory = new CopyMemory(50);
    const it = await new Trial(3, {}, memory).open();
    const other = await new Trial(0, {}, memory).open();
    let size = 0;
    it.leaving = () => (size = it.copy.log.size);
    for (const offset of [1, 2, 3, 4]) await other.add(offset);
    expect(size).toBe(3);
    expect(it.copy.log.size).toBe(1);
  });

  it('reads them again for a client that has one of them, and for one that is to be given all', async () => {
    const it = await trial(9);
    it.copy.shrink(0);
    expect(it.copy.log.size).toBe(1);
    expect(await it.copy.locate(at(4))).toEqual(at(4));
    expect(it.copy.log).toMatchObject({ floor: at(0), head: at(9), size: 9 });
    it.copy.shrink(0);
    await it.copy.refill();
    expect(it.copy.log.size).toBe(9);
    expect(it.copy.refill()).toBeUndefined();
    expect(it.reads).toEqual([undefined, undefined]);
  });

  it('keeps what comes while it reads them again', async () => {
    const it = await trial(9);
    it.copy.shrink(0);
    const answer = it.hold();
    const refilled = it.copy.refill();
    it.server.grow(1);
    await it.add(10);
    answer();
    await refilled;
    expect(it.copy.log).toMatchObject({ floor: at(0), head: at(10), size: 10 });
    expect(it.told.filter(Number).filter((offset) => offset === 10)).toEqual([10, 10]);
  });

  it('rejects where they cannot be read again', async () => {
    const it = await trial(9);
    it.copy.shrink(0);
    it.isAway = true;
    await expect(it.copy.refill()).rejects.toThrow('away');
    await expect(it.copy.locate(at(4))).rejects.toThrow('away');
  });

  it('offers them first when they are purged, and keeps what came after', async () => {
    const it = await trial();
    await it.add(4);
    await it.copy.purged(at(3));
    await it.copy.purged(at(3));
    expect(it.told).toEqual([4, 'leaving']);
    expect(it.copy.log).toMatchObject({ floor: at(3), head: at(4), size: 1, clearedAt: 3 });
  });

  it('reads where a purge or a completion comes before the entries that it follows', async () => {
    const it = await trial();
    it.server.grow(1);
    it.server.purge();
    await it.copy.purged(at(4));
    expect(it.told).toEqual(['replaced']);
    expect(it.copy.log).toMatchObject({ floor: at(4), head: at(4), size: 0, clearedAt: 4 });
    it.server.grow(2);
    it.server.completed = true;
    await it.copy.completed(at(6));
    await it.copy.completed(at(6));
    expect(it.told).toEqual(['replaced', 5, 6, 'completed']);
  });

  it('reads anew what is purged or completed while it is opened', async () => {
    for (const change of ['purged', 'completed'] as const) {
      const it = new Trial(3);
      const answer = it.hold();
      const opened = it.open();
      await Promise.resolve();
      if (change === 'purged') it.server.purge();
      else it.server.completed = true;
      const told = it.copy.receive({ kind: change, position: at(3) });
      answer();
      await Promise.all([opened, told]);
      expect(it.copy.log).toMatchObject(
        change === 'purged' ? { size: 0, floor: at(3), clearedAt: 3 } : { size: 3, completed: true },
      );
    }
  });
});

describe('a local copy of a channel that is not there', () => {
  const nothingYet = (n: number): Position => ({ offset: 0, mark: `nothing${n}` });
  const absent = async (): Promise<Trial> => {
    const it = new Trial(0);
    it.server.floor = it.server.head = nothingYet(1);
    it.server.begins = [nothingYet(1), nothingYet(2), nothingYet(3)];
    return it.open();
  };
  /** The channel comes into being. */
  const born = (it: Trial, begins = it.server.begins): ServerLog => {
    it.server = new ServerLog('b');
    it.server.begins = begins;
    return it.server;
  };

  it('is at nothing yet, and says when that is another position', async () => {
    const it = await absent();
    expect(it.copy.log).toMatchObject({ isAbsent: true, head: nothingYet(1), floor: nothingYet(1) });
    await it.copy.catchUp();
    expect(it.told).toEqual([]);
    it.server.floor = it.server.head = nothingYet(2);
    await it.copy.catchUp();
    expect(it.told).toEqual(['moved']);
    expect(it.copy.log).toMatchObject({ isAbsent: true, head: nothingYet(2), floor: nothingYet(2) });
  });

  it('is replaced when its position is not valid any more', async () => {
    const it = await absent();
    it.server.floor = it.server.head = nothingYet(9);
    it.server.begins = [nothingYet(9)];
    await it.copy.catchUp();
    expect(it.told).toEqual(['replaced']);
  });

  it('goes on from there with the first event, and keeps that position as its beginning', async () => {
    const it = await absent();
    const { log } = it.copy;
    born(it).grow(1);
    await it.add(1, 'b');
    await it.add(2, 'b');
    expect(it.told).toEqual([1, 2]);
    expect(it.copy.log).toBe(log);
    expect(log).toMatchObject({ floor: nothingYet(1), head: at(2, 'b') });
    expect(log.at(0)?.previous).toEqual(nothingYet(1));
  });

  it('is replaced when another log may have come and gone', async () => {
    const it = await absent();
    // The notices of that log would not have come.
    it.copy.interrupted();
    born(it, []).grow(1);
    await it.add(1, 'b');
    expect(it.told).toEqual(['replaced', 1]);
  });

  it('reads nothing when its first events come, so that it cannot be late for them', async () => {
    const it = await absent();
    born(it).grow(3);
    it.server.trim(2);
    await Promise.all([1, 2, 3].map((offset) => it.add(offset, 'b')));
    expect({ told: it.told, reads: it.reads }).toEqual({ told: [1, 2, 3], reads: [] });
  });

  it('is completed without an event', async () => {
    const it = await absent();
    born(it).completed = true;
    await it.copy.completed(at(0, 'b'));
    expect(it.told).toEqual(['completed']);
  });

  it('knows other positions of nothing yet, before and after', async () => {
    const it = await absent();
    expect(await it.copy.locate(nothingYet(1))).toEqual(nothingYet(1));
    expect(await it.copy.locate(nothingYet(3))).toEqual(nothingYet(1));
    expect(await it.copy.locate(nothingYet(9))).toBeUndefined();
    born(it).grow(2);
    it.server.begins.push(at(0, 'b'));
    expect(await it.copy.locate(nothingYet(3))).toEqual(nothingYet(1));
    expect(await it.copy.locate(at(0, 'b'))).toEqual(nothingYet(1));
    expect(it.told).toEqual([1, 2]);
    it.server.trim(1);
    it.copy.shrink(0);
    expect(await it.copy.locate(nothingYet(3))).toBeUndefined();
  });
});

describe('a local copy that is asked for a position', () => {
  it('reads first, as others may have stored more', async () => {
    const it = await trial();
    it.server.grow(2);
    expect(await it.copy.locate(at(5))).toEqual(at(5));
    expect(it.told).toEqual([4, 5]);
  });

  it('says no to one of another log', async () => {
    const it = await trial();
    expect(await it.copy.locate(at(2, 'b'))).toBeUndefined();
    expect(await it.copy.locate(at(0, 'b'))).toBeUndefined();
  });

  it('rejects when the server is away', async () => {
    const it = await trial();
    it.isAway = true;
    await expect(it.copy.locate(at(5))).rejects.toThrow('away');
    it.copy.close();
  });
});

describe('a local copy whose server is away', () => {
  it('finds out by itself when it is there again', async () => {
    const it = await trial();
    it.isAway = true;
    it.server.grow(1);
    await it.copy.catchUp();
    expect(it.told).toEqual([]);
    it.isAway = false;
    const isTold = new Promise((resolve) => (it.appended = resolve));
    await isTold;
    expect(it.copy.log.head).toEqual(at(4));
  });

  it('does not keep those waiting who appended', async () => {
    const it = await trial();
    it.isAway = true;
    await it.add(9);
    expect(it.told).toEqual([]);
    it.copy.close();
  });

  it('opens with an error', async () => {
    const it = new Trial(3);
    it.isAway = true;
    await expect(it.copy.catchUp()).rejects.toThrow('away');
  });

  it('tells nothing once it is closed', async () => {
    const it = await trial();
    it.server.grow(2);
    const read = it.copy.catchUp();
    const early = it.add(9);
    const located = it.copy.locate(at(9));
    it.copy.close();
    await Promise.all([read, early, it.add(4), it.copy.completed(at(3))]);
    expect(await located).toBeUndefined();
    expect(it.told).toEqual([]);
  });
});
