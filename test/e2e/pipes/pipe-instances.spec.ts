import { once } from 'node:events';
import { expect, it } from '@jest/globals';
import type { SseHub } from '../../../src/sse/index.js';
import type { TestEvent } from '../../../src/sse/testing/index.js';
import { eventually } from '../../support/eventually.js';
import { describeOnEach } from '../../support/shared-server.js';
import { startSseApp, untilConnections, type SseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';
import { Feed } from '../streams/feed.js';

const dataOf = (events: readonly TestEvent[]): string[] => events.map(({ text }) => text);

describeOnEach('a source, piped into a channel of two instances', (shared) => {
  const startTwo = async (): Promise<[one: SseApp, other: SseApp]> => {
    const routes = { a: (hub: SseHub) => hub.stream('a', { replay: 'all' }) };
    const sse = { backplane: shared() };
    return [await startSseApp({ routes, sse }), await startSseApp({ routes, sse })];
  };

  it('is there from the start for who comes late to the other, or goes on there, and ends for all', async () => {
    const [one, other] = await startTwo();
    const feed = new Feed();
    const piped = one.hub.pipe('a', feed);
    const early = await listen(`${one.url}/a`);
    for (const word of ['one', 'two', 'three']) feed.say(word);
    expect(dataOf(await early.take(3))).toEqual(['one', 'two', 'three']);
    early.close();
    const late = await listen(`${other.url}/a`, { reconnect: 0 });
    feed.say('four');
    expect(dataOf(await late.take(4))).toEqual(['one', 'two', 'three', 'four']);
    const again = await listen(`${other.url}/a`, { lastEventId: early.lastEventId });
    feed.say('five');
    feed.end();
    expect(await piped).toBe(5);
    expect(dataOf(await late.rest())).toEqual(['five']);
    expect(dataOf(await again.rest())).toEqual(['four', 'five']);
    expect(late).toMatchObject({ status: 204, connected: 1 });
    const ended = await listen(`${other.url}/a`);
    expect(dataOf(await ended.rest())).toEqual(['one', 'two', 'three', 'four', 'five']);
  });

  it('tells those on the other of its error', async () => {
    const [one, other] = await startTwo();
    const feed = new Feed();
    const client = await listen(`${other.url}/a`);
    const piped = expect(one.hub.pipe('a', feed)).rejects.toThrow('secret');
    feed.say('one');
    feed.fail(new Error('secret'));
    await piped;
    expect(await client.rest()).toMatchObject([
      { type: 'message', text: 'one' },
      { type: 'error', text: 'Internal server error' },
    ]);
  });

  it('tells those on the other when its own instance closes', async () => {
    const [one, other] = await startTwo();
    const client = await listen(`${other.url}/a`);
    const feed = new Feed();
    const piped = expect(one.hub.pipe('a', feed)).rejects.toMatchObject({ code: 'HUB_CLOSED' });
    feed.say('one');
    expect((await client.next()).text).toBe('one');
    await one.close();
    await piped;
    expect(await client.rest()).toMatchObject([{ type: 'error', text: 'Closing' }]);
  });

  it('is stopped when the other completes the channel, and nothing of it comes after that', async () => {
    const [one, other] = await startTwo();
    const feed = new Feed();
    const clients = [await listen(`${one.url}/a`), await listen(`${other.url}/a`)];
    const piped = expect(one.hub.pipe('a', feed)).rejects.toMatchObject({ code: 'CHANNEL_COMPLETED' });
    feed.say('one');
    for (const client of clients) expect((await client.next()).text).toBe('one');
    await other.hub.complete('a');
    feed.say('two');
    await piped;
    await eventually(() => feed.isLeft);
    for (const client of clients) expect(await client.rest()).toEqual([]);
    expect((await one.hub.history('a')).events.map(({ data }) => data)).toEqual(['one']);
  });

  it('is stopped at once when the other completes the channel, although it waits', async () => {
    const [one, other] = await startTwo();
    const waiting = (signal: AbortSignal) =>
      (async function* () {
        yield { data: 'one' };
        await once(signal, 'abort');
      })();
    const client = await listen(`${other.url}/a`);
    const piped = expect(one.hub.pipe('a', waiting)).rejects.toMatchObject({ code: 'CHANNEL_COMPLETED' });
    expect((await client.next()).text).toBe('one');
    await other.hub.complete('a');
    await piped;
    expect(await client.rest()).toEqual([]);
  });

  it('goes on for who listens to the other, and is stopped when nobody does on any', async () => {
    const [one, other] = await startTwo();
    const feed = new Feed();
    const client = await listen(`${other.url}/a`);
    await untilConnections(other.hub, 1);
    let isOver = false;
    const piped = one.hub.pipe('a', feed, { abandonAfter: 20 }).finally(() => (isOver = true));
    const refused = expect(piped).rejects.toMatchObject({ code: 'PIPE_ABANDONED' });
    const unheard = one.hub.pipe('b', new Feed(), { abandonAfter: 100 }); // that takes longer
    await expect(unheard).rejects.toMatchObject({ code: 'PIPE_ABANDONED' });
    expect(isOver).toBe(false);
    feed.say('one');
    expect((await client.next()).text).toBe('one');
    client.close();
    await refused;
    const late = await listen(`${other.url}/a`);
    expect((await late.rest()).map(({ type, text }) => `${type}: ${text}`)).toEqual([
      'message: one',
      'error: Abandoned',
    ]);
  });
});
