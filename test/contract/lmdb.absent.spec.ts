/**
 * LMDB's native part is loaded once in a process, and with it the JavaScript of the first spec that does so.
 *
 * @jest-environment-options {"globalsCleanup": "off"}
 */
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import { channelNumber } from '../../src/sse/protocol/position.js';
import { onlyDate } from '../support/fake-timers.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { settingsOf, stored } from './backplane.contract.js';
import { Listener } from './listener.js';
import { openLmdb, recordsOnDisk } from './lmdb.js';

const settings = settingsOf({ ttl: 10_000 });

let path: string;
let backplane: SseBackplane;

async function restart(): Promise<void> {
  await backplane.close();
  backplane = await openLmdb(path);
}

const nothingYetOf = async (channel: string) => (await backplane.read(channel, settings, { limit: 0 })).head;
/** What came after a position; undefined if that cannot be told. */
async function after(channel: string, position: Awaited<ReturnType<typeof nothingYetOf>>) {
  const { entries, missing } = await backplane.read(channel, settings, { after: position, limit: 9 });
  return missing ? undefined : entries.map(({ event }) => event.data);
}

beforeEach(async () => {
  jest.useFakeTimers(onlyDate);
  path = await temporaryFolder();
  backplane = await openLmdb(path);
});

afterEach(() => {
  jest.useRealTimers();
});

describe('10,000 channels that are not there', () => {
  it('have nothing on the disk, however they are read', async () => {
    await backplane.append('a', settings, stored('x'));
    await backplane.close();
    const before = await recordsOnDisk(path);
    backplane = await openLmdb(path);
    const names = Array.from({ length: 5_000 }, (_, i) => `fresh/${i}`);
    const followers: Listener[] = [];
    for (const name of names) {
      followers.push(await new Listener(backplane, name, settings).ready);
      await backplane.read(`other/${name}`, settings, { limit: 1 });
    }
    expect(backplane.stats().channels).toBe(5_001);
    for (const follower of followers) follower.stop();
    expect(backplane.stats().channels).toBe(1);
    await backplane.close();
    expect(await recordsOnDisk(path)).toEqual(before);
  });
});

describe('nothing yet', () => {
  it('survives restarts, before the channel is made and afterwards', async () => {
    const position = await nothingYetOf('a');
    await restart();
    expect(await nothingYetOf('a')).toEqual(position);
    await backplane.append('a', settings, stored('x'));
    expect(await after('a', position)).toEqual(['x']);
    await restart();
    expect(await after('a', position)).toEqual(['x']);
  });

  it('is over for good when the log has come and gone, whoever lets go of it', async () => {
    const position = await nothingYetOf('a');
    await backplane.append('a', settings, stored('x'));
    await backplane.close();
    jest.setSystemTime(Date.now() + 10_000);
    backplane = await openLmdb(path);
    expect(await after('a', position)).toBeUndefined();
    const second = await nothingYetOf('a');
    await restart();
    expect(await nothingYetOf('a')).toEqual(second);
    await backplane.append('a', settings, stored('y'));
    expect(await after('a', position)).toBeUndefined();
    expect(await after('a', second)).toEqual(['y']);
  });

  it('is that of the followers, also when a log has gone that shares its number', async () => {
    const slotOf = (channel: string): number => channelNumber(channel) % 65_536;
    let neighbour = 0;
    while (slotOf(`b/${neighbour}`) !== slotOf('a')) neighbour++;
    await backplane.append(`b/${neighbour}`, settings, stored('x'));
    const follower = await new Listener(backplane, 'a', settings).ready;
    const { head } = follower.log;
    jest.setSystemTime(Date.now() + 10_000);
    await nothingYetOf(`b/${neighbour}`);
    await backplane.append('a', settings, stored('x'));
    expect(follower.seen[0]!.previous).toEqual(head);
    expect(await after('a', head)).toEqual(['x']);
  });
});
