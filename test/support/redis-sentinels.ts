import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whenTestEnds } from './clean-up.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { start } from './process.js';
import { commandAt, RedisServer } from './redis-server.js';

/** A primary, a replica, and three Sentinels that make the one the other when it is gone. */
export interface WatchedRedis {
  readonly name: string;
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
}

/** Starts them for one test. */
export async function watchedRedis(path: string): Promise<WatchedRedis> {
  const primary = await RedisServer.start(path, { args: ['--repl-diskless-sync-delay', '0'] });
  const replica = await RedisServer.start(path, { args: ['--replicaof', `127.0.0.1 ${primary.port}`] });
  whenTestEnds(() => Promise.all([primary.dispose(), replica.dispose()]));
  await eventually(async () =>
    String(await replica.command('INFO', 'replication')).includes('link_status:up'),
  );
  const ports = await Promise.all([1, 2, 3].map(() => startSentinel(path, primary.port)));
  await Promise.all(ports.map(knowsAll));
  const sentinels = ports.map((port) => ({ host: '127.0.0.1', port }));
  return { name: 'main', primary, replica, sentinels };
}

/** Starts one Sentinel for a primary, for one test. Gives its port. */
export async function startSentinel(path: string, primary: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'sentinel-'));
  const port = await freePort();
  const file = join(folder, 'sentinel.conf');
  const lines = [
    ...['bind 127.0.0.1', `port ${port}`, `dir ${folder}`, `sentinel monitor main 127.0.0.1 ${primary} 2`],
    ...['sentinel down-after-milliseconds main 500', 'sentinel failover-timeout main 3000'],
  ];
  await writeFile(file, lines.join('\n'));
  const sentinel = await start(path, [file, '--sentinel'], /\+monitor master/);
  whenTestEnds(async () => {
    await sentinel.stop('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
  return port;
}

/** Resolves when a Sentinel knows the replica and the other Sentinels. */
async function knowsAll(port: number): Promise<void> {
  await eventually(async () => {
    const flat = (await commandAt(port, 'SENTINEL', 'MASTER', 'main')) as string[];
    const value = (name: string): string | undefined => flat[flat.indexOf(name) + 1];
    return value('num-slaves') === '1' && value('num-other-sentinels') === '2';
  });
}
