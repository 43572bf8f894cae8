import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { SseBackplane } from '../../src/sse/log/backplane.js';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { eventually } from '../support/eventually.js';
import { MovingAddress } from '../support/moving-address.js';
import { RedisServer } from '../support/redis-server.js';
import { settingsOf, stored } from './backplane.contract.js';
import { channelAt, instanceAt } from './redis.instances.js';

/** A replica is sent what there is without a delay. */
const AT_ONCE = { args: ['--repl-diskless-sync-delay', '0'] };

/** Two servers, of which one is the primary that the instances' address leads to. Then it is the other. */
describeWith('redis-server', 'a Redis that became a replica', (path) => {
  let former: RedisServer;
  let next: RedisServer;
  let address: MovingAddress;

  // Of each connection that is lost there is a warning.
  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => Logger.overrideLogger(true));

  beforeEach(async () => {
    [former, next] = [await RedisServer.start(path, AT_ONCE), await RedisServer.start(path, AT_ONCE)];
    address = await MovingAddress.of(former.port);
    whenTestEnds(async () => {
      await address.close();
      await Promise.all([former.dispose(), next.dispose()]);
    });
    await next.command('REPLICAOF', '127.0.0.1', String(former.port));
    await eventually(async () =>
      String(await next.command('INFO', 'replication')).includes('link_status:up'),
    );
  });

  /** The connections that are there stay with the former primary, which works on, as a replica. */
  const failOver = async (): Promise<void> => {
    await next.command('REPLICAOF', 'NO', 'ONE');
    await former.command('REPLICAOF', '127.0.0.1', String(next.port));
    address.leadTo(next.port);
  };
  const numbers = (from: number, to: number): number[] =>
    Array.from({ length: to - from }, (_, i) => from + i);
  const append = (backplane: SseBackplane, data: readonly number[]) =>
    Promise.all(data.map((n) => channelAt(backplane).append(n)));
  const code = (code: string): unknown => expect.objectContaining({ name: 'SseError', code });
  /** Resolves when the call is refused, as it is at first or once the instance knows. */
  const isRefused = (backplane: SseBackplane) =>
    channelAt(backplane)
      .append(-1)
      .then(
        () => false,
        (error: unknown) => (error as { code: string }).code === 'PUBLISH_REJECTED',
      );

  it('is left for the new primary, and publishes wait meanwhile, in the order of the calls', async () => {
    const one = await instanceAt(address.port);
    const other = await instanceAt(address.port);
    const listeners = [await channelAt(one).listener(), await channelAt(other).listener()];
    await append(one, numbers(0, 5));
    await eventually(async () => Number(await next.command('XLEN', 'sse:2:{a}:log')) === 5);
    await failOver();
    const publishing = [append(one, numbers(5, 20))];
    // Calls that come when some have been refused and others have no answer yet.
    await new Promise(setImmediate);
    publishing.push(append(one, numbers(20, 30)));
    await Promise.all(publishing);
    publishing.push(append(one, numbers(30, 40)));
    const last = (await publishing[2]!).at(-1)!;
    for (const listener of listeners) await eventually(() => listener.log.has(last));
    expect(await channelAt(await instanceAt(next.port)).kept()).toEqual(numbers(0, 40));
    for (const { seen, told } of listeners) {
      expect(seen.map(({ event }) => Number(event.data))).toEqual(numbers(0, 40));
      expect(told).not.toContain('replaced');
    }
  });

  it('is left also by those who only follow', async () => {
    const listener = await channelAt(await instanceAt(address.port)).listener();
    await failOver();
    // What a client brings has the log read.
    expect(await listener.locate({ offset: 7, mark: 'nobodys1' })).toBeUndefined();
    await former.stop();
    const [position] = await append(await instanceAt(next.port), [1]);
    expect(await listener.locate(position!)).toEqual(position);
    await eventually(() => listener.told.includes(position!.offset));
  });

  it('has calls refused at once where that was chosen, and not for good', async () => {
    const one = await instanceAt(address.port, {
      whileAway: 'fail',
      publishTimeout: 60_000,
      connection: { url: `redis://127.0.0.1:${address.port}` },
    });
    await failOver();
    expect(await isRefused(one)).toBe(true);
    await eventually(async () => !(await isRefused(one)));
  });

  it('is not accepted at the start', async () => {
    await expect(instanceAt(next.port)).rejects.toEqual(code('BACKPLANE_FAILED'));
    await expect(instanceAt(next.port)).rejects.toThrow(/is a replica.*Give the address of the primary\.$/);
  });

  it('and has lost its primary, is waited for until it is one itself', async () => {
    const one = await instanceAt(former.port);
    await former.command('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
    await former.command('REPLICAOF', '127.0.0.1', '1');
    const waiting = [
      one.append('a', settingsOf(), stored('x')),
      one.complete('b', settingsOf()),
      one.read('c', settingsOf(), { limit: 1 }),
    ];
    await eventually(async () =>
      String(await former.command('INFO', 'clients')).includes('connected_clients:1\r'),
    );
    await former.command('REPLICAOF', 'NO', 'ONE');
    await Promise.all(waiting);
    expect(await channelAt(one).kept()).toEqual(['x']);
  });
});

/** What a server answers that is the right one, and cannot do it at present. */
describeWith('redis-server', 'a Redis that asks for patience', (path) => {
  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => Logger.overrideLogger(true));

  const errorsOf = async (server: RedisServer): Promise<string> =>
    String(await server.command('INFO', 'errorstats'));

  it('as it loads its data is waited for, also at the start', async () => {
    // Two seconds for what follows.
    const args = ['--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024'];
    const server = await RedisServer.start(path, { args });
    whenTestEnds(() => server.dispose());
    const one = await instanceAt(server.port);
    await channelAt(one).append(1);
    await server.command('EVAL', "for i = 1, 2000 do redis.call('SET', i, i) end", '0');
    await server.command('SAVE');
    await server.stop();
    const starting = server.start();
    const publishing = channelAt(one).append(2);
    await eventually(() =>
      server.command('PING').then(
        () => false,
        (error: unknown) => (error as Error).message.startsWith('LOADING'),
      ),
    );
    const other = await instanceAt(server.port);
    await Promise.all([starting, publishing]);
    expect(await channelAt(other).kept()).toEqual([1, 2]);
    expect(await errorsOf(server)).toContain('errorstat_LOADING:');
  });

  it('as too few replicas have what it has is waited for', async () => {
    const server = await RedisServer.start(path);
    whenTestEnds(() => server.dispose());
    const one = await instanceAt(server.port);
    const said: unknown[] = [];
    const note = (message: unknown): unknown => said.push(String(message));
    Logger.overrideLogger({ log: note, warn: note, error: note });
    whenTestEnds(() => Logger.overrideLogger(false));
    await server.command('CONFIG', 'SET', 'min-replicas-to-write', '1');
    const publishing = channelAt(one).append(1);
    // It is not taken for the right one again, nor said to be there, before it is.
    await eventually(async () => /errorstat_NOREPLICAS:count=[3-9]/.test(await errorsOf(server)));
    await server.command('CONFIG', 'SET', 'min-replicas-to-write', '0');
    await publishing;
    expect(await channelAt(one).kept()).toEqual([1]);
    const lines = [/is lost: NOREPLICAS/, /is there again\.$/];
    await eventually(() => said.length >= lines.length);
    expect(said).toEqual(lines.map((line) => expect.stringMatching(line)));
  });

  it('for longer than the start may take is not accepted', async () => {
    const server = await RedisServer.start(path, { args: ['--min-replicas-to-write', '1'] });
    whenTestEnds(() => server.dispose());
    await expect(instanceAt(server.port)).rejects.toThrow(
      /cannot be used yet: NOREPLICAS .*Start the application again when it can\.$/,
    );
  });
});
