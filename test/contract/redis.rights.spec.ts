import { expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { readFile } from 'node:fs/promises';
import { ALIVE } from '../../src/sse/backplanes/common/cluster-link.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { stored } from './backplane.contract.js';
import { channelAt, open } from './redis.instances.js';

/** What the test itself does, and what the package redis is refused without harm. */
const OTHERS = ['acl', 'auth', 'client', 'config', 'info'];

/** All that were called. */
async function commandsOf(server: RedisServer): Promise<string[]> {
  const stats = String(await server.command('INFO', 'commandstats'));
  return [...stats.matchAll(/^cmdstat_([\w|]+):/gm)].map(([, name]) => name!);
}

describeWith('redis-server', 'a user of Redis', (path) => {
  it('who has the rights that the guide lists can do all, and needs each of them', async () => {
    const guide = await readFile(new URL('../../src/sse/backplanes/README.md', import.meta.url), 'utf8');
    const rights = /`(~sse:\* [^`]+)`/.exec(guide)![1]!.split(/\s+/);
    const server = await RedisServer.start(path);
    whenTestEnds(() => server.dispose());
    await server.command('ACL', 'SETUSER', 'hub', 'on', '>secret', '-@all', ...rights);
    await server.command('CONFIG', 'RESETSTAT');
    const connection = { url: `redis://hub:secret@127.0.0.1:${server.port}` };
    const startedAt = performance.now();
    const { backplane, cluster } = await open({ connection });
    const leading = new Promise((resolve) => cluster.lead('work', resolve));

    const { settings, append, read, listener, purge, complete } = channelAt(backplane);
    const follower = await listener();
    const { log } = follower;
    const small = { ...settings, history: { count: 2, bytes: Infinity, age: 60_000 }, ttl: Infinity };
    for (const n of [1, 2, 3]) await backplane.append('a', small, stored(n), `id-${n}`);
    await server.command('XADD', 'sse:2:{a}:log', '9-0', 'of', 'another');
    const { offset } = await append(4);
    await eventually(() => log.head.offset === offset);
    await read({ limit: 1 });
    await read({ after: log.head });
    await purge();
    await complete();

    await cluster.order('an order');
    await cluster.wills.leave('it', 'a will');
    await server.command('SADD', 'sse:{wills}', 'ghost');
    await server.command('HSET', 'sse:{wills}:ghost', 'its', 'a will');
    await eventually(async () => (await cluster.wills.orphaned()).length > 0);
    await cluster.wills.isThere('it');
    await cluster.wills.remove('it');
    expect(await cluster.instances()).toHaveLength(1);
    follower.stop();
    // Who may not ask INFO waits for as long as a lease may be held by one whom the server forgot.
    await leading;
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(ALIVE);
    await cluster.close();
    await backplane.close();

    const needed = (await commandsOf(server)).filter((name) => !OTHERS.includes(name.split('|')[0]!));
    const listed = rights.filter((right) => right.startsWith('+')).map((right) => right.slice(1));
    expect(needed.sort()).toEqual(listed.sort());
  });

  it.each([
    { by: 'redis', options: (url: string) => ({ connection: { url } }) },
    { by: 'ioredis', options: (url: string) => ({ client: new Redis(url, { lazyConnect: true }) }) },
  ])('whose password was changed is logged as refused once, and let in again, by $by', async (by) => {
    const server = await RedisServer.start(path);
    whenTestEnds(() => server.dispose());
    const setPassword = (text: string): Promise<unknown> =>
      server.command('ACL', 'SETUSER', 'hub', 'on', 'resetpass', `>${text}`, '~*', '&*', '+@all');
    await setPassword('secret');
    const { backplane } = await open(by.options(`redis://hub:secret@127.0.0.1:${server.port}`));
    const said: unknown[] = [];
    const note = (message: unknown): unknown => said.push(String(message));
    Logger.overrideLogger({ log: note, warn: note, error: note });
    whenTestEnds(() => Logger.overrideLogger(true));
    await setPassword('another');
    await server.command('CLIENT', 'KILL', 'USER', 'hub');
    const refused = async (): Promise<number> =>
      Number(/errorstat_WRONGPASS:count=(\d+)/.exec(String(await server.command('INFO', 'errorstats')))?.[1]);
    await eventually(async () => (await refused()) >= 3);
    await setPassword('secret');
    await channelAt(backplane).append(1);
    const lines = [/is lost: /, /does not accept the password: WRONGPASS/, /is there again\.$/];
    await eventually(() => said.length >= lines.length);
    expect(said).toEqual(lines.map((line) => expect.stringMatching(line)));
  });

  it.each(['xtrim', 'xinfo|stream', 'publish', 'zadd', 'ping', 'subscribe'])(
    'who lacks %s is not accepted at the start',
    async (command) => {
      const server = await RedisServer.start(path);
      whenTestEnds(() => server.dispose());
      await server.command(
        'ACL',
        'SETUSER',
        'hub',
        'on',
        '>secret',
        '~sse:*',
        '&sse:*',
        '+@all',
        `-${command}`,
      );
      const starting = open({ connection: { url: `redis://hub:secret@127.0.0.1:${server.port}` } });
      await expect(starting).rejects.toMatchObject({
        code: 'BACKPLANE_FAILED',
        message: expect.stringMatching(new RegExp(command.replace('|', '.'), 'i')),
      });
    },
  );
});
