import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Position } from '../../src/sse/protocol/position.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { both, channelAt, openAt, resumed } from './redis.instances.js';

describeWith('redis-server', 'a Redis that is full', (path) => {
  let server: RedisServer;
  let one: Awaited<ReturnType<typeof openAt>>;
  let positions: Position[];

  const fill = (): Promise<unknown> => server.command('CONFIG', 'SET', 'maxmemory', '1');
  const makeRoom = (): Promise<unknown> => server.command('CONFIG', 'SET', 'maxmemory', '0');

  beforeEach(async () => {
    server = await RedisServer.start(path, { args: ['--maxmemory-policy', 'noeviction'] });
    whenTestEnds(() => server.dispose());
    one = await openAt(server.port);
    positions = await channelAt(one.backplane).appendNumbers(3);
    await fill();
  });
  afterEach(makeRoom);

  it('refuses events, and takes them again when there is room', async () => {
    const { append, kept } = channelAt(one.backplane);
    await expect(append(3)).rejects.toMatchObject({ code: 'PUBLISH_REJECTED', message: /OOM/ });
    await makeRoom();
    await append(4);
    expect(await kept()).toEqual([0, 1, 2, 4]);
  });

  it('is read and followed, by instances that are there and by those that start', async () => {
    for (const { backplane } of [one, await openAt(server.port)]) {
      expect(await resumed(backplane, positions[0]!)).toEqual(both(undefined, 1, 2));
      const nothingYet = (await backplane.read('absent', channelAt(backplane).settings, { limit: 1 })).head;
      expect(nothingYet.offset).toBe(0);
    }
  });

  it('has channels purged and completed, with a word to all who follow', async () => {
    const other = await openAt(server.port);
    const listener = await channelAt(other.backplane).listener();
    await channelAt(one.backplane).purge();
    await eventually(() => listener.log.size === 0);
    expect(listener.log.floor).toEqual(positions[2]);
    await channelAt(one.backplane).complete();
    await eventually(() => listener.told.includes('completed'));
  });

  it('gives leases, keeps the list of instances and carries their messages', async () => {
    const other = await openAt(server.port);
    const members = [one.cluster.instance, other.cluster.instance].sort();
    expect([...(await one.cluster.instances())].sort()).toEqual(members);
    const holders: string[] = [];
    const stop = one.cluster.lead('work', () => holders.push('one'));
    await eventually(() => holders.length === 1);
    other.cluster.lead('work', () => holders.push('other'));
    stop();
    await eventually(() => holders.length === 2);
    const heard = new Promise((resolve) => other.cluster.listen('order', resolve));
    await one.cluster.broadcast('order', 'revoke');
    expect(await heard).toBe('revoke');
  });
});
