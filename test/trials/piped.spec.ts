import { describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestEvent, TestStream } from '../../src/sse/testing/index.js';
import { listen } from '../support/open-stream.js';
import { temporaryFolder } from '../support/temporary-folder.js';
import { Fleet, type Instance } from './fleet.js';
import { describeOnEach } from './servers.js';
import { KEEP_ALL } from './settings.js';

const SSE = { ...KEEP_ALL, replay: 'all' } as const;
/** Milliseconds for which a process may do nothing without being taken for dead. */
const SHORT = 3_000;

const read = (instance: Instance, channel: string, options = {}): Promise<TestStream> =>
  listen(`${instance.url}/events?channels=${channel}`, options);

/** 0, 1, 2 and so on up to where they end, and then this. */
function expectNumbersAnd(last: object | undefined, events: readonly TestEvent[]): void {
  const numbers = last ? events.slice(0, -1) : events;
  expect(numbers.map(({ type, text }) => [type, text])).toEqual(
    numbers.map((_, n) => ['message', String(n)]),
  );
  expect(numbers.length).toBeGreaterThan(0);
  if (last) expect(events.at(-1)).toMatchObject(last);
}

const LOST = { type: 'error', data: 'Lost' };

describeOnEach('a process that pipes', (startServer) => {
  const start = async (count: number, durable = false) => {
    const server = await startServer({ durable });
    const fleet = await Fleet.start({ count, ...server.backplane, sse: SSE });
    return { server, instances: fleet.instances };
  };

  it('is killed: an instance that has started since tells listeners, but not those of what was over', async () => {
    const { instances } = await start(2);
    const [one, other] = instances as [Instance, Instance];
    await other.end('SIGTERM');
    await one.pipe('over', { count: 3 });
    expect(await one.piped('over')).toEqual({ id: 3 });
    await one.pipe('a');
    await one.pipe('formed', { forms: true });
    await one.pipe('open', { complete: false });
    await other.start();
    const clients = [await read(other, 'a'), await read(other, 'formed'), await read(other, 'open')];
    for (const client of clients) await client.take(3);
    const resuming = await read(one, 'a', { reconnect: 100 });
    await resuming.take(3);
    await one.end('SIGKILL');
    const [a, formed, open] = clients as [TestStream, TestStream, TestStream];
    await Promise.all([a.rest(), formed.rest(), open.until(({ type }) => type === 'error')]);
    expectNumbersAnd(LOST, a.events);
    expectNumbersAnd({ type: 'error', data: { because: 'lost' } }, formed.events);
    expectNumbersAnd(LOST, open.events);
    expect(await other.publish('open', 'next')).toMatchObject({ id: expect.any(String) as unknown });
    expect((await open.next()).text).toBe('next');
    const over = await read(other, 'over');
    expectNumbersAnd(undefined, await over.rest());
    expect(over.events).toHaveLength(3);
    await one.start();
    await resuming.rest();
    expectNumbersAnd(LOST, resuming.events);
    expect(resuming.status).toBe(204);
  });

  it('is killed with all others: the next one that starts tells listeners', async () => {
    const { instances } = await start(2);
    const [one, other] = instances as [Instance, Instance];
    await one.pipe('a');
    const client = await read(other, 'a', { reconnect: 100 });
    await client.take(3);
    await Promise.all([one.end('SIGKILL'), other.end('SIGKILL')]);
    await other.start();
    await client.rest();
    expectNumbersAnd(LOST, client.events);
  });

  it('is frozen: for a moment, and it goes on; for longer, and it finds its channel completed', async () => {
    const { instances } = await start(2);
    const [one, other] = instances as [Instance, Instance];
    await one.pipe('a');
    await one.pipe('open', { complete: false, interval: SHORT });
    const client = await read(other, 'a');
    await client.take(3);
    one.signal('SIGSTOP');
    await delay(SHORT);
    const before = client.events.length;
    one.signal('SIGCONT');
    await client.take(before + 20);
    expectNumbersAnd(undefined, client.events);
    const open = await read(other, 'open');
    one.signal('SIGSTOP');
    await Promise.all([client.rest(), open.until(({ type }) => type === 'error')]);
    expectNumbersAnd(LOST, client.events);
    one.signal('SIGCONT');
    // The process may have stopped in the midst of a publish, whose time is over when it goes on. What it publishes from then
    // on is refused in any case.
    expect(await one.piped('a')).toEqual({
      code: expect.stringMatching(/^(CHANNEL_COMPLETED|PUBLISH_UNCERTAIN)$/),
    });
    expect(await one.publish('a', 'next')).toEqual({ code: 'CHANNEL_COMPLETED' });
    expect(await one.piped('open')).toEqual({ code: 'PIPE_LOST' });
    expect((await other.history('a')).at(-1)).toMatchObject({ data: 'Lost' });
    expect((await other.history('open')).filter(({ data }) => data === 'Lost')).toHaveLength(1);
  });

  it('cannot tell how it ended while the server is away, and does when it is back', async () => {
    const { server, instances } = await start(2, true);
    const [one, other] = instances as [Instance, Instance];
    await one.pipe('a');
    const client = await read(other, 'a');
    await client.take(3);
    await server.stop();
    expect(await one.piped('a')).toMatchObject({ code: expect.stringMatching(/^PUBLISH_/) as unknown });
    await server.start();
    await client.rest();
    expectNumbersAnd({ type: 'error', data: 'Internal server error' }, client.events);
  });
});

describe('a process that pipes, on LMDB', () => {
  it('is killed: the next one tells listeners, but not those of what was over', async () => {
    const options = { count: 1, backplane: 'lmdb', url: await temporaryFolder(), sse: SSE } as const;
    const [instance] = (await Fleet.start(options)).instances as [Instance];
    await instance.pipe('over', { count: 3 });
    expect(await instance.piped('over')).toEqual({ id: 3 });
    await instance.pipe('a');
    await instance.pipe('formed', { forms: true });
    const client = await read(instance, 'a', { reconnect: 100 });
    const formed = await read(instance, 'formed', { reconnect: 100 });
    await Promise.all([client.take(3), formed.take(3)]);
    await instance.end('SIGKILL');
    await instance.start();
    await Promise.all([client.rest(), formed.rest()]);
    expectNumbersAnd(LOST, client.events);
    expectNumbersAnd({ type: 'error', data: { because: 'lost' } }, formed.events);
    const over = await read(instance, 'over');
    expectNumbersAnd(undefined, await over.rest());
    // It is told once, however often a process is killed.
    await instance.end('SIGKILL');
    await instance.start();
    expectNumbersAnd(LOST, await (await read(instance, 'a')).rest());
  });
});
