/**
 * LMDB's native part is loaded once in a process, and with it the JavaScript of the first spec that does so.
 *
 * @jest-environment-options {"globalsCleanup": "off"}
 */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { open } from 'lmdb';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import { storedEvent } from '../../src/sse/log/stored-event.js';
import type { Position } from '../../src/sse/protocol/position.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { settingsOf, stored } from './backplane.contract.js';
import { Listener } from './listener.js';
import { copyOf, dataOf, openLmdb, rangeOf } from './lmdb.js';

let path: string;
let backplane: SseBackplane;

const settings = settingsOf({ history: { count: 1_000 } });
const append = (channel: string, data: unknown, publishId?: string) =>
  backplane.append(channel, settings, stored(data), publishId);
const all = (channel: string) => rangeOf(backplane, channel);

async function restart(): Promise<void> {
  await backplane.close();
  backplane = await openLmdb(path);
}

beforeEach(async () => {
  path = await temporaryFolder();
  backplane = await openLmdb(path);
});

describe('a restart', () => {
  it('leaves events as they were, in every field', async () => {
    const inputs = [
      { type: 'é', id: '7', retry: 5, comment: 'c\nd', data: { text: 'a\r\n\0\u2028😀', list: [1, null] } },
      { comment: '' },
      { data: '' },
      { type: 'x', data: 'two\nlines' },
      { retry: 0 },
      { data: 'x'.repeat(100_000) },
      { data: null },
    ];
    const events = inputs.map((input) => storedEvent(input, 'publisher', Infinity));
    for (const event of events) await backplane.append('a', settings, event);
    const before = await all('a');
    expect(before.entries.map(({ event }) => event)).toEqual(events);
    const stats = backplane.stats();
    await restart();
    expect(await all('a')).toEqual(before);
    expect(backplane.stats()).toEqual(stats);
  });

  it('goes on with the offsets and with each event the one before, for those who follow too', async () => {
    const { head: nothingYet } = await all('a/é 😀');
    const first = await append('a/é 😀', 1);
    await restart();
    const follower = await new Listener(backplane, 'a/é 😀', settings).ready;
    const second = await append('a/é 😀', 2);
    expect(second.offset).toBe(first.offset + 1);
    expect(follower.seen.map(({ event, previous }) => [event.data, previous])).toEqual([
      ['1', nothingYet],
      ['2', first],
    ]);
    expect(copyOf(follower)).toEqual(await all('a/é 😀'));
  });

  it('goes on where events are gone, and knows which were deleted', async () => {
    for (let n = 0; n < 3; n++) await append('a', n);
    await backplane.purge('a');
    const few = settingsOf({ history: { count: 2 } });
    const positions: Position[] = [];
    for (let n = 3; n < 8; n++) positions.push(await backplane.append('a', few, stored(n)));
    const bounds = { floor: positions[2], head: positions[4] };
    await restart();
    expect(await all('a')).toMatchObject(bounds);
    expect(await dataOf(backplane, 'a')).toEqual(['6', '7']);
    const { log } = await new Listener(backplane, 'a', few).ready;
    expect(log).toMatchObject({ ...bounds, clearedAt: 3, size: 2 });
  });

  it('leaves a channel without events where it was', async () => {
    await append('purged', 1);
    await backplane.purge('purged');
    const purged = await all('purged');
    await restart();
    expect(await all('purged')).toEqual(purged);
  });

  it('leaves a channel completed', async () => {
    await append('a', 1);
    await backplane.complete('a', settings);
    await restart();
    await expect(append('a', 2)).rejects.toMatchObject({ code: 'CHANNEL_COMPLETED' });
    expect((await new Listener(backplane, 'a', settings).ready).log.completed).toBe(true);
  });

  it('remembers what was published with a publishId', async () => {
    const first = await append('a', 'x', 'id');
    await append('b', 'x', 'other');
    for (let round = 0; round < 3; round++) {
      await restart();
      expect(await append('a', 'x', 'id')).toEqual(first);
      await append('a', 'y', `in round ${round}`);
    }
    expect(await dataOf(backplane, 'a')).toEqual(['x', 'y', 'y', 'y']);
  });

  it('applies limits that have become smaller', async () => {
    for (let n = 0; n < 2_500; n++) void append('a', n);
    await append('a', 'last');
    await restart();
    const few = settingsOf({ history: { count: 3 } });
    const follower = await new Listener(backplane, 'a', few).ready;
    await backplane.append('a', few, stored('new'));
    expect(follower.log.size).toBe(3);
    expect(copyOf(follower)).toEqual(await all('a'));
    await restart();
    expect(await dataOf(backplane, 'a')).toEqual(['2499', 'last', 'new']);
    expect(backplane.stats()).toMatchObject({ channels: 1, historyEvents: 3 });
  });
});

describe('a directory', () => {
  const failed = (reason: RegExp): unknown =>
    expect.objectContaining({
      name: 'SseError',
      code: 'BACKPLANE_FAILED',
      message: expect.stringMatching(
        new RegExp(`^The directory ${path} cannot be used for the data of LMDB: .*${reason.source}.*\\.$`),
      ) as unknown,
    });

  beforeEach(() => backplane.close());

  it('is made when it is not there', async () => {
    path = join(path, 'not', 'there.yet');
    backplane = await openLmdb(path);
    await append('a', 1);
    expect(await readdir(path)).toContain('data.mdb');
  });

  it('is left without a lock', async () => {
    expect((await readdir(path)).sort()).toEqual(['data.mdb', 'lock.mdb']);
  });

  it.each([
    [1, /written by version 0\.1 .* Move it away, or name another/],
    [3, /its schema is 3, .* knows 2/],
  ])('of another schema is refused with a remedy, and not touched (%i)', async (schema, reason) => {
    const root = open({ path, noSubdir: false });
    await root.openDB({ name: 'info' }).put('schema', schema);
    await root.close();
    const before = await readFile(join(path, 'data.mdb'));
    await expect(openLmdb(path)).rejects.toEqual(failed(reason));
    await expect(openLmdb(path)).rejects.toEqual(failed(reason));
    expect(await readFile(join(path, 'data.mdb'))).toEqual(before);
  });

  it('with the data of something else is refused', async () => {
    path = await temporaryFolder();
    const root = open({ path, noSubdir: false });
    await root.put('theirs', 1);
    await root.close();
    const before = await readFile(join(path, 'data.mdb'));
    await expect(openLmdb(path)).rejects.toEqual(failed(/the data of something else/));
    expect(await readFile(join(path, 'data.mdb'))).toEqual(before);
  });

  it.each([
    ['is no file of LMDB', 'short', (file: string) => writeFile(file, 'hello')],
    ['is no file of LMDB', 'long', (file: string) => writeFile(file, Buffer.alloc(50_000, 'hello'))],
    ['is damaged', 'cut off at its beginning', (file: string) => truncate(file, 5_000)],
    ['its end is missing', 'cut off', (file: string) => truncate(file, 8_192)],
  ])('whose data.mdb %s is refused (%s)', async (reason, _how, spoil) => {
    await spoil(join(path, 'data.mdb'));
    await expect(openLmdb(path)).rejects.toEqual(failed(new RegExp(`its data.mdb .*${reason}`)));
  });

  it('that is a file is refused', async () => {
    path = join(path, 'file');
    await writeFile(path, '');
    await expect(openLmdb(path)).rejects.toEqual(failed(/EEXIST/));
  });

  it('that may not be written is refused', async () => {
    await chmod(path, 0o555);
    // To root it may.
    const user = process.geteuid?.();
    if (user === 0) process.seteuid?.(65_534);
    try {
      await expect(openLmdb(path)).rejects.toEqual(failed(/EACCES/));
    } finally {
      if (user === 0) process.seteuid?.(0);
    }
  });

  it('with a path that no socket can have is refused', async () => {
    path = join(path, 'x'.repeat(80));
    await mkdir(path);
    await expect(openLmdb(path)).rejects.toEqual(failed(/its path has more than 80 bytes/));
  });

  it('that has another holder in this process is refused, and free again when that is closed', async () => {
    backplane = await openLmdb(path);
    await expect(openLmdb(path)).rejects.toEqual(failed(/another process/));
    await append('a', 1);
    await restart();
    expect(await dataOf(backplane, 'a')).toEqual(['1']);
  });

  it('never has two holders, also when many ask at once', async () => {
    for (let round = 0; round < 10; round++) {
      const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => openLmdb(path)));
      const holders = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
      expect(holders.length).toBeLessThanOrEqual(1);
      await holders[0]?.close();
    }
    expect((await readdir(path)).sort()).toEqual(['data.mdb', 'lock.mdb']);
  });
});

describe('an event that is missing on the disk', () => {
  /** Deletes it behind the back of who has the directory. */
  async function remove(offset: number): Promise<void> {
    const root = open({ path, noSubdir: false });
    const entries = root.openDB({ name: 'entries' });
    for (const key of entries.getKeys())
      if ((key as [string, number])[1] === offset) await entries.remove(key);
    await root.openDB({ name: 'info' }).put('lastWrite', 'by others');
    await root.close();
  }

  beforeEach(async () => {
    for (let n = 0; n < 3; n++) await append('a', n);
  });

  it('is said to those who read its channel, and to no others, until that is purged', async () => {
    await backplane.close();
    await remove(2);
    backplane = await openLmdb(path);
    await append('b', 1);
    await expect(all('a')).rejects.toMatchObject({ code: 'BACKPLANE_FAILED' });
    await expect(new Listener(backplane, 'a', settings).ready).rejects.toMatchObject({
      code: 'BACKPLANE_FAILED',
    });
    await backplane.purge('a');
    await append('a', 3);
    expect(await dataOf(backplane, 'a')).toEqual(['3']);
  });

  it('fails all calls where somebody has its channel at that moment', async () => {
    await new Listener(backplane, 'a', settings).ready;
    await remove(2);
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(append('b', 1)).rejects.toMatchObject({ code: 'PUBLISH_REJECTED' });
      await expect(all('b')).rejects.toMatchObject({ code: 'BACKPLANE_AWAY' });
    }
  });
});
