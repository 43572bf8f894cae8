import type { BackplaneFactory } from '../backplane-factory.js';
import { MemoryBus, MemoryCluster } from '../memory/memory.cluster.js';
import { Database } from './database.js';
import { LmdbBackplane } from './lmdb.backplane.js';
import { lmdbSettings, type LmdbOptions } from './lmdb.options.js';

export type { LmdbOptions } from './lmdb.options.js';

/**
 * Keeps the logs of the channels in a directory of this machine, with LMDB: for one instance that must
 * survive restarts, `kill -9` and a loss of power. Ids, completed channels and publish ids go on after a
 * start as if nothing had happened. It needs the package `lmdb`, and no server; Linux or macOS.
 *
 * - `publish()` resolves when the event is on the disk (fsync), and no client gets the event before. Events that are
 *   published at the same time share a transaction. On a full disk it rejects with `PUBLISH_REJECTED`, and succeeds
 *   again as soon as there is room; `purge()` works then, too.
 * - A directory may be restored from an older copy. A client that has seen an event which the copy lacks is told of a
 *   gap (`unknown`) when it reconnects, although the offset is used again.
 * - The time in which no process runs counts for `ttl` and for `history.age`. The `ttl` of a channel that was
 *   only listened to before a crash may end up to a quarter early.
 * - `limits.channels` and `limits.historyBytes` hold for what is on the disk. Memory has copies of the channels that
 *   are being streamed, and so never more than that. The file is larger, as it keeps the room of deleted events and
 *   never shrinks.
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
