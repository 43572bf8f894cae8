import { open } from 'lmdb';
import { lmdbBackplane, type LmdbOptions } from '../../src/sse/backplanes/lmdb/index.js';
import type { SseBackplane } from '../../src/sse/hub/backplane.js';
import type { SseLimits } from '../../src/sse/sse.options.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { whenTestEnds } from '../support/clean-up.js';
import { entriesOf } from './listener.js';
import type { Listener } from './listener.js';

/** A backplane on a directory, which is closed at the end of the test at the latest. */
export async function openLmdb(
  path: string,
  limits: SseLimits = {},
  options: Partial<LmdbOptions> = {},
): Promise<SseBackplane> {
  const { backplane } = await lmdbBackplane({ path, ...options })({ ...moduleSettings().limits, ...limits });
  whenTestEnds(() => backplane.close());
  return backplane;
}

export const dataOf = async (backplane: SseBackplane, channel: string): Promise<unknown[] | undefined> =>
  (await backplane.read(channel, { limit: Infinity }))?.entries.map(({ event }) => event.data);

/** How many events there are in a directory that no backplane has at present, those that are of no use included. */
export async function entriesOnDisk(path: string): Promise<number> {
  const root = open({ path, noSubdir: false });
  const count = root.openDB({ name: 'entries' }).getCount();
  await root.close();
  return count;
}

/** What a follower's copy has, for a comparison with what is read from the disk. */
export const copyOf = ({ log }: Listener) => ({
  epoch: log.epoch,
  floor: log.floor,
  head: log.head,
  entries: entriesOf(log),
});
