/**
 * LMDB's native part is loaded once in a process, and with it the JavaScript of the first spec that does so.
 *
 * @jest-environment-options {"globalsCleanup": "off"}
 */
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { readFile, open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import type { Position } from '../../src/sse/protocol/position.js';
import { onlyDate } from '../support/fake-timers.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { settingsOf, stored } from './backplane.contract.js';
import { Listener } from './listener.js';
import { copyOf, dataOf, openLmdb, rangeOf } from './lmdb.js';

const settings = settingsOf({ ttl: 10_000 });

let path: string;
let backplane: SseBackplane;

const append = (channel: string, data: unknown, publishId?: string) =>
  backplane.append(channel, settings, stored(data), publishId);
const missing = async (channel: string, after: Position) =>
  (await backplane.read(channel, settings, { after, limit: 9 })).missing;

/** Takes a copy of the directory. Answers what puts it back, byte by byte into the same file. */
async function copy(): Promise<() => Promise<void>> {
  // Who has the file open may go on from the last transaction but one.
  await append('other', 'x');
  const data = await readFile(join(path, 'data.mdb'));
  return async () => {
    const file = await openFile(join(path, 'data.mdb'), 'r+');
    await file.write(data, 0, data.length, 0);
    await file.close();
  };
}

/** The process may have been restarted meanwhile, or not. */
const WAYS: Record<string, (restore: () => Promise<void>) => Promise<void>> = {
  'after a restart': async (restore) => {
    await backplane.close();
    await restore();
    backplane = await openLmdb(path);
  },
  'while it is in use': (restore) => restore(),
};

beforeEach(async () => {
  jest.useFakeTimers(onlyDate);
  path = await temporaryFolder();
  backplane = await openLmdb(path);
});

afterEach(() => {
  jest.useRealTimers();
});

describe.each(Object.entries(WAYS))('a directory that is restored from an older copy, %s,', (_, put) => {
  it('gives offsets away twice, and holds no position of what was lost', async () => {
    const kept = [await append('a', 0), await append('a', 1)];
    const restore = await copy();
    const lost = [await append('a', 2), await append('a', 3), await append('new', 0)];
    await put(restore);
    const next = [await append('a', 4), await append('a', 5), await append('new', 1)];
    expect(next.map(({ offset }) => offset)).toEqual(lost.map(({ offset }) => offset));
    expect(await dataOf(backplane, 'a')).toEqual(['0', '1', '4', '5']);
    const { log } = await new Listener(backplane, 'a', settings).ready;
    for (const position of lost.slice(0, 2)) {
      expect(log.has(position)).toBe(false);
      expect(await missing('a', position)).toBe('unknown');
    }
    expect(await missing('new', lost[2]!)).toBe('unknown');
    for (const position of [...kept, ...next.slice(0, 2)]) {
      expect(log.has(position)).toBe(true);
      expect(await missing('a', position)).toBeUndefined();
    }
  });

  it('stores again what was lost when it is published again with its id', async () => {
    const kept = await append('a', 0, 'id 0');
    const restore = await copy();
    const lost = await append('a', 1, 'id 1');
    await put(restore);
    expect(await append('a', 0, 'id 0')).toEqual(kept);
    const again = await append('a', 1, 'id 1');
    expect(again.offset).toBe(lost.offset);
    expect(again.mark).not.toBe(lost.mark);
  });

  it('believes no nothing yet of a time that is lost', async () => {
    const restore = await copy();
    await append('a', 'lost');
    jest.setSystemTime(Date.now() + 10_000);
    const { head: position } = await rangeOf(backplane, 'a');
    await put(restore);
    await append('a', 'not seen by who was there then');
    jest.setSystemTime(Date.now() + 10_000);
    await append('a', 'new');
    expect(await missing('a', position)).toBe('unknown');
  });

  it('may be restored more than once, and what is published is there after a restart', async () => {
    await append('a', 0);
    const restore = await copy();
    const lost: Position[] = [];
    for (let n = 1; n < 4; n++) {
      lost.push(await append('a', n));
      await put(restore);
      await append('b', n);
    }
    await append('a', 4);
    await backplane.close();
    backplane = await openLmdb(path);
    expect(await dataOf(backplane, 'a')).toEqual(['0', '4']);
    expect(await dataOf(backplane, 'b')).toEqual(['3']);
    for (const position of lost) expect(await missing('a', position)).toBe('unknown');
  });
});

describe('who follows while an older copy takes the place of the directory', () => {
  it('is handed the log that is there now, which goes on', async () => {
    const first = await append('a', 0);
    const restore = await copy();
    const follower = await new Listener(backplane, 'a', settings).ready;
    const lost = await append('a', 1);
    await append('new', 1);
    const other = await new Listener(backplane, 'new', settings).ready;
    await restore();
    const next = await append('a', 2);
    expect(follower.told).toEqual([lost.offset, 'replaced', next.offset]);
    expect(follower.early).toEqual([]);
    expect([follower.log.has(first), follower.log.has(lost)]).toEqual([true, false]);
    expect(copyOf(follower)).toEqual(await rangeOf(backplane, 'a'));
    expect(other.told).toEqual(['replaced']);
    expect(other.log.isAbsent).toBe(true);
    expect(backplane.stats()).toMatchObject({ channels: 3, historyEvents: 3 });
    other.stop();
    expect(backplane.stats().channels).toBe(2);
  });
});
