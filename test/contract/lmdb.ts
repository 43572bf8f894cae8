import { open } from 'lmdb';
import { lmdbBackplane, type LmdbOptions } from '../../src/sse/backplanes/lmdb/index.js';
import type { LogRange, SseBackplane } from '../../src/sse/log/backplane.js';
import type { SseLimits } from '../../src/sse/sse.options.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { whenTestEnds } from '../support/clean-up.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { settingsOf } from './backplane.contract.js';
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

/** All that is kept of a channel. */
export const rangeOf = (backplane: SseBackplane, channel: string): Promise<LogRange> =>
  backplane.read(channel, settingsOf(), { limit: Infinity });

export const dataOf = async (backplane: SseBackplane, channel: string): Promise<unknown[]> =>
  (await rangeOf(backplane, channel)).entries.map(({ event }) => event.data);

/**
 * A directory with what the disk has of another one, which a backplane may be writing to: what a crash would leave. A
 * copy of the file itself could have pages from before a transaction, and others from after it.
 */
export async function crashedCopyOf(path: string): Promise<string> {
  const copy = await temporaryFolder();
  const root = open({ path, noSubdir: false });
  await root.backup(copy, false);
  await root.close();
  return copy;
}

/** How many records each table has in a directory that no backplane has at present. */
export async function recordsOnDisk(path: string): Promise<Record<string, number>> {
  const root = open({ path, noSubdir: false });
  const tables = [...root.getKeys()] as string[];
  const counts = tables.map((name) => [name, root.openDB({ name }).getCount()] as const);
  await root.close();
  return Object.fromEntries(counts);
}

/** How many events there are, those that are of no use any more included. */
export const entriesOnDisk = async (path: string): Promise<number> => (await recordsOnDisk(path))['entries']!;

/** What a follower's copy has, for a comparison with what is read from the disk. */
export const copyOf = ({ log }: Listener): LogRange => ({
  floor: log.floor,
  head: log.head,
  entries: entriesOf(log),
});
