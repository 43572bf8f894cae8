import type { BackplaneFactory } from '../backplane-factory.js';
import { MemoryBus, MemoryCluster } from '../memory/memory.cluster.js';
import { Database } from './database.js';
import { LmdbBackplane } from './lmdb.backplane.js';
import { lmdbSettings, type LmdbOptions } from './lmdb.options.js';

export type { LmdbOptions } from './lmdb.options.js';

/**
 * Keeps the logs of the channels in a directory of this machine, with LMDB: for one instance that must
 * survive restarts, `kill -9` and a loss of power. Ids, completed channels and publish ids go on after a
 * start as if nothing had been. It needs the package `lmdb`, and no server; Linux or macOS.
 *
 * - `publish()` resolves when the event is on the disk (fsync), and only then anybody is sent it. Events
 *   that are published at the same time share a transaction. When the disk is full it is a
 *   `PUBLISH_REJECTED`, and succeeds again as soon as there is room; `purge()` works then, too.
 * - A directory may be restored from an older copy. Who has seen what is lost by that is told so when it comes
 *   again (`gap`, `unknown`), although the offsets are given away a second time.
 * - The time in which no process runs counts for `ttl` and for `history.age`. The `ttl` of a channel that was
 *   only listened to before a crash may end up to a quarter early.
 * - `limits.channels` and `limits.historyBytes` hold for what is on the disk; the copies in memory, of the
 *   channels that somebody streams at present, are a part of that. The file is larger: it has room for what is
 *   deleted later, and never shrinks.
 *
 * @throws SseError `INVALID_OPTIONS`; when the application starts `BACKPLANE_FAILED`: the directory cannot
 * be read or written, has the data of something else or of another version, 0.1 included, or another process uses it
 *
 * @example
 * ```ts
 * SseModule.forRoot({ backplane: lmdbBackplane({ path: '/var/lib/app/sse' }) });
 * ```
 */
export function lmdbBackplane(options: LmdbOptions): BackplaneFactory {
  const settings = lmdbSettings(options);
  return async (limits) => {
    const backplane = new LmdbBackplane(await Database.open(settings.path), limits, settings);
    return { backplane, cluster: new MemoryCluster(new MemoryBus(), (name) => backplane.willsOf(name)) };
  };
}
