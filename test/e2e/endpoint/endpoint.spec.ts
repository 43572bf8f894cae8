import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import type { FollowedLog } from '../../../src/sse/index.js';
import type { TestEvent } from '../../../src/sse/testing/index.js';
import { blocksOf } from '../../support/blocks.js';
import { adapters } from '../../support/adapters.js';
import { eventually } from '../../support/eventually.js';
import { answerTo, listen } from '../../support/open-stream.js';
import { untilConnections, untilSubscribers } from '../../support/sse-app.js';
import { change, idOf, openEndpoint, OWN_IDS, startEndpointApp } from './endpoint-app.js';

/** The id of an event in `rooms/a`, among those of the other channels. */
const IN_A = /(?:^|&)rooms%2Fa=([^&]+)/;

const dataOf = (events: readonly TestEvent[]): string[] => events.map(({ text }) => text);

describe.each(adapters)('the ready-made endpoint (%s)', (adapter) => {
  const start = (...[sse, options]: Parameters<typeof startEndpointApp>) =>
    startEndpointApp(sse, { ...options, adapter });

  it('streams the channels of the query, after the id of the connection', async () => {
    const { hub, url } = await start({ replay: 'all' });
    await hub.publish('rooms/a', { data: 'before' });
    const { client, id } = await openEndpoint(url, ['rooms/a', 'rooms/b']);
    await hub.publish('rooms/b', { type: 'said', data: 'hello' });
    expect(dataOf(await client.take(2))).toEqual(['before', 'hello']);
    const [info] = await hub.connections();
    expect(info).toMatchObject({ id, channels: ['rooms/a', 'rooms/b'], path: '/events' });
    expect(id).toMatch(/^[\da-f-]{36}$/);
    expect(blocksOf(client).map(({ event }) => event?.type)).toEqual([
      undefined,
      'connection',
      'message',
      'said',
    ]);
  });

  it('streams a channel that comes after a question mark in the query', async () => {
    const { hub, url } = await start();
    const client = await listen(`${url}/events?from=where?&channel=rooms/a`);
    idOf(await client.next());
    expect((await hub.connections())[0]!.channels).toEqual(['rooms/a']);
  });

  it('joins and leaves in one request, and says what came of each', async () => {
    const { hub, url } = await start();
    const { id } = await openEndpoint(url, ['rooms/a', 'rooms/b']);
    const newest = await hub.publish('rooms/c', { data: 'before' });
    const { body } = await change(url, id, {
      join: ['rooms/c', 'rooms/b', 'rooms/secret', 'nobody/says'],
      leave: ['rooms/a', 'rooms/x'],
    });
    expect(body).toEqual({
      joined: ['rooms/c', 'rooms/b'],
      positions: { 'rooms/c': newest },
      denied: ['rooms/secret', 'nobody/says'],
      left: ['rooms/a'],
      channels: ['rooms/b', 'rooms/c'],
    });
    expect((await change(url, id, {})).body.channels).toEqual(['rooms/b', 'rooms/c']);
  });

  it('asks the same guards for the stream and for joining', async () => {
    const { url } = await start();
    const wrong = { 'x-token': 'wrong' };
    expect((await answerTo(`${url}/events?channel=rooms/a`, { headers: wrong })).status).toBe(401);
    const { id } = await openEndpoint(url, ['rooms/a']);
    expect((await change(url, id, { join: ['rooms/b'] }, wrong)).status).toBe(401);
    expect((await change(url, id, {})).body.channels).toEqual(['rooms/a']);
  });

  it('asks about a join with the request that has opened the stream', async () => {
    const { url, access } = await start();
    const { id } = await openEndpoint(url, [], { headers: { 'x-user': 'ada', 'x-token': 'opened' } });
    await change(url, id, { join: ['rooms/a', 'boxes/ada', 'boxes/bob'] }, { 'x-user': 'ada' });
    const [{ user, request }] = access.asked as [(typeof access.asked)[0]];
    expect([user, request.headers['x-token']]).toEqual(['ada', 'opened']);
    expect((await change(url, id, {}, { 'x-user': 'ada' })).body.channels).toEqual(['rooms/a', 'boxes/ada']);
  });

  it('takes "channel", and says so to who writes "channels"', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/events?channels=rooms/a`);
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('?channel=a')]);
  });

  it('gives everything back when its client leaves', async () => {
    const { hub, url } = await start();
    const { client, id } = await openEndpoint(url, ['rooms/a']);
    await change(url, id, { join: ['rooms/b'] });
    client.close();
    await untilConnections(hub, 0);
    expect(hub.stats().subscribers).toBe(0);
    expect((await change(url, id, {})).status).toBe(404);
  });

  it('has the prefix of the application before its path', async () => {
    const { url } = await start({}, { configure: (app) => app.setGlobalPrefix('api') });
    const { id } = await openEndpoint(`${url}/api`, ['rooms/a']);
    expect((await change(`${url}/api`, id, { join: ['rooms/b'] })).status).toBe(200);
  });

  // No adapter has a hand in what follows.
  if (adapter !== 'express') return;

  it('opens without channels, for those that are joined', async () => {
    const { hub, url } = await start();
    const { client, id } = await openEndpoint(url, []);
    const answer = await change(url, id, { join: ['rooms/a', 'rooms/b'] });
    expect(answer.status).toBe(200);
    const channels = ['rooms/a', 'rooms/b'];
    const positions = {
      'rooms/a': (await hub.history('rooms/a')).position,
      'rooms/b': (await hub.history('rooms/b')).position,
    };
    expect(answer.body).toEqual({ joined: channels, positions, denied: [], left: [], channels });
    await hub.publish('rooms/a', { data: 'hello' });
    expect((await client.next()).text).toBe('hello');
  });

  it('sends nothing more of a channel that was left, and goes on with the others', async () => {
    const { hub, url } = await start();
    const { client, id } = await openEndpoint(url, ['rooms/a', 'rooms/b']);
    await change(url, id, { leave: ['rooms/a'] });
    await untilSubscribers(hub, 'rooms/a', 0);
    await hub.publish('rooms/a', { data: 'not for it' });
    await hub.publish('rooms/b', { data: 'for it' });
    expect((await client.next()).text).toBe('for it');
  });

  it('goes on where a channel was left when it is joined again', async () => {
    const { hub, url } = await start();
    const { client, id } = await openEndpoint(url, ['rooms/a', 'rooms/b']);
    await hub.publish('rooms/a', { data: '1' });
    await client.next();
    await change(url, id, { leave: ['rooms/a'] });
    await hub.publish('rooms/a', { data: '2' });
    await change(url, id, { join: ['rooms/a'] });
    await hub.publish('rooms/a', { data: '3' });
    expect(dataOf(await client.take(2))).toEqual(['2', '3']);
  });

  it.each([
    ['the older question is answered first', [0, 1]],
    ['the newer question is answered first', [1, 0]],
  ])('joins a channel that was left while somebody was asked about it, if %s', async (_, order) => {
    const { hub, url, access } = await start();
    const lastEventId = await hub.publish('rooms/asked', { data: '1' });
    await hub.publish('rooms/asked', { data: '2' });
    const { client, id } = await openEndpoint(url, ['rooms/a']);
    const first = change(url, id, { join: [{ channel: 'rooms/asked', lastEventId }] });
    await eventually(() => access.questions.length === 1);
    await change(url, id, { leave: ['rooms/asked'] });
    const second = change(url, id, { join: ['rooms/asked'] });
    await eventually(() => access.questions.length === 2);
    for (const question of order) access.questions[question]!(true);
    expect((await first).body).toMatchObject({ joined: [], denied: [] });
    const channels = ['rooms/a', 'rooms/asked'];
    expect((await second).body).toMatchObject({ joined: ['rooms/asked'], channels });
    // The position was that of the first join, which came to nothing.
    await hub.publish('rooms/asked', { data: '3' });
    expect((await client.next()).text).toBe('3');
  });

  it('repeats nothing of a channel that is joined again, however many others were joined and left since', async () => {
    const { hub, url } = await start({ limits: { channelsPerConnection: 3 } });
    const lastEventId = `rooms%2Fa=${await hub.publish('rooms/a', { data: '0' })}`;
    const { client, id } = await openEndpoint(url, [], { lastEventId });
    await hub.publish('rooms/a', { data: '1' });
    await client.next();
    await change(url, id, { leave: ['rooms/a'] });
    for (const other of ['rooms/b', 'rooms/c', 'rooms/d', 'rooms/e']) {
      await change(url, id, { join: [other] });
      await change(url, id, { leave: [other] });
    }
    for (const data of ['2', '3']) {
      await change(url, id, { join: ['rooms/a'] });
      await hub.publish('rooms/a', { data });
      expect((await client.next()).text).toBe(data);
      await change(url, id, { leave: ['rooms/a'] });
    }
  });

  it('misses nothing that is published after the answer, and repeats nothing', async () => {
    const { hub, url } = await start();
    const { client, id } = await openEndpoint(url, ['rooms/a']);
    let published = 0;
    let isOver = false;
    const publishing = (async () => {
      for (; !isOver; await turn()) await hub.publish('rooms/busy', { data: published++ });
    })();
    await change(url, id, { join: ['rooms/busy'] });
    const first = Number((await client.next()).text);
    await client.take(200);
    isOver = true;
    await publishing;
    const received = client.events
      .filter(({ type }) => type === 'message')
      .map((event) => Number(event.text));
    expect(received).toEqual(received.map((_, i) => first + i));
  });

  it('answers a join when the channel is open, and not before', async () => {
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    class SlowBackplane extends MemoryBackplane {
      override async follow(...args: Parameters<MemoryBackplane['follow']>): Promise<FollowedLog> {
        if (args[0] === 'rooms/slow') await opened;
        return super.follow(...args);
      }
    }
    const { hub, url } = await start({ backplane: (limits) => ({ backplane: new SlowBackplane(limits) }) });
    const { client, id } = await openEndpoint(url, ['rooms/a']);
    let isAnswered = false;
    const joining = change(url, id, { join: ['rooms/slow'] }).finally(() => (isAnswered = true));
    await eventually(async () => (await hub.subscriberCount('rooms/slow')) === 1);
    await change(url, id, {});
    expect(isAnswered).toBe(false);
    open();
    expect((await joining).body.joined).toEqual(['rooms/slow']);
    await hub.publish('rooms/slow', { data: 'after the answer' });
    expect((await client.next()).text).toBe('after the answer');
  });

  it('joins channels from the positions that a join before was answered with', async () => {
    const { hub, url } = await start();
    await hub.publish('rooms/b', { data: 'of the past' });
    const cut = await openEndpoint(url, []);
    const { body } = await change(url, cut.id, { join: ['rooms/a', 'rooms/b', 'typing/c'] });
    expect(Object.keys(body.positions as object)).toEqual(['rooms/a', 'rooms/b']);
    cut.client.close();
    for (const channel of ['rooms/a', 'rooms/b']) await hub.publish(channel, { data: `in ${channel}` });
    const { client, id } = await openEndpoint(url, []);
    const join = ['rooms/a', 'rooms/b'].map((channel) => ({
      channel,
      lastEventId: body.positions[channel] as string,
    }));
    const again = await change(url, id, { join: [...join, 'typing/c'] });
    expect(again.body.joined).toEqual(['rooms/a', 'rooms/b', 'typing/c']);
    expect(dataOf(await client.take(2)).sort()).toEqual(['in rooms/a', 'in rooms/b']);
    expect(await hub.publish('rooms/a', { data: 'live' })).toBe((await client.next()).id?.match(IN_A)?.[1]);
  });

  it.each([
    ['full', {}],
    ['own', { headers: OWN_IDS }],
  ] as const)(
    'gives all again to who was cut off before it had the backlog of a join (%s ids)',
    async (_, ids) => {
      const { hub, url, access } = await start({ replay: 'all' });
      await hub.publish('rooms/a', { data: 'of the past' });
      const cut = await openEndpoint(url, [], ids);
      const joining = change(url, cut.id, { join: ['rooms/a', 'rooms/asked'] });
      await untilSubscribers(hub, 'rooms/a', 1);
      await hub.publish('rooms/a', { data: 'while the other was asked for' });
      access.questions.shift()?.(true);
      const { body } = await joining;
      cut.client.close();
      const { client, id } = await openEndpoint(url, [], ids);
      const lastEventId = body.positions['rooms/a'] as string;
      await change(url, id, { join: [{ channel: 'rooms/a', lastEventId }] });
      expect(dataOf(await client.take(2))).toEqual(['of the past', 'while the other was asked for']);
    },
  );

  it('has no position of a join that begins with a gap', async () => {
    const { url } = await start();
    const { id } = await openEndpoint(url, []);
    const join = [{ channel: 'rooms/a', lastEventId: 'abc-1' }];
    expect((await change(url, id, { join })).body.positions).toEqual({});
  });

  it('tells who joins from a position that is not in the log of a gap', async () => {
    const { hub, url } = await start();
    const { client, id } = await openEndpoint(url, []);
    const lastEventId = await hub.publish('rooms/b', { data: 'elsewhere' });
    await change(url, id, { join: [{ channel: 'rooms/a', lastEventId }] });
    const gap = await client.next();
    expect([gap.type, gap.data]).toEqual([
      'gap',
      expect.objectContaining({ channel: 'rooms/a', reason: 'unknown', requested: lastEventId }),
    ]);
  });

  it('replays to who joins what the channel replays to those who are new', async () => {
    const { hub, url } = await start({ replay: 2 });
    const { client, id } = await openEndpoint(url, []);
    for (const data of ['1', '2', '3']) await hub.publish('rooms/a', { data });
    await change(url, id, { join: ['rooms/a'] });
    expect(dataOf(await client.take(2))).toEqual(['2', '3']);
  });

  it('tells which channels of the query were denied, also those that nobody has granted', async () => {
    const { url } = await start();
    const { client } = await openEndpoint(url, ['nobody/says', 'rooms/a', 'rooms/secret']);
    expect((await client.take(2)).map(({ data }): unknown => data)).toEqual([
      { channel: 'nobody/says', reason: 'forbidden' },
      { channel: 'rooms/secret', reason: 'forbidden' },
    ]);
  });

  it.each([
    ['by who was asked', 'channel=rooms/secret'],
    ['because nobody was asked', 'channel=nobody/says'],
    ['on a resume', 'lastEventId=rooms%252Fsecret%3Dabc-1'],
    ['on a resume where nobody was asked', 'lastEventId=news%3Dabc-1'],
  ])('answers 403 where everything was denied, %s', async (_, query) => {
    const { hub, url } = await start();
    const client = await answerTo(`${url}/events?${query}`);
    expect([client.status, client.headers['content-type']]).toEqual([
      403,
      expect.stringContaining('application/json'),
    ]);
    await untilConnections(hub, 0);
  });

  it('stays open when all of its channels have completed, also for those who come back', async () => {
    const { hub, url } = await start({ retry: 1 });
    const { client, id } = await openEndpoint(url, ['rooms/a'], { reconnect: true });
    await hub.publish('rooms/a', { data: 'last' });
    await hub.complete('rooms/a');
    expect((await client.next()).text).toBe('last');
    expect((await change(url, id, { join: ['rooms/b'] })).body.channels).toEqual(['rooms/b']);
    await eventually(() => client.lastEventId.includes('rooms%2Fb='));
    client.drop('fin');
    const again = idOf(await client.next());
    expect((await change(url, again, {})).body.channels).toEqual(['rooms/b']);
    await hub.publish('rooms/b', { data: 'goes on' });
    expect((await client.next()).text).toBe('goes on');
  });

  it('joins a channel that has completed, to its end', async () => {
    const { hub, url } = await start({ replay: 'all' });
    await hub.publish('rooms/a', { data: 'last' });
    await hub.complete('rooms/a');
    const { client, id } = await openEndpoint(url, []);
    const { body } = await change(url, id, { join: ['rooms/a'] });
    const positions = { 'rooms/a': expect.stringMatching(/^0\./) };
    expect(body).toEqual({ joined: ['rooms/a'], positions, denied: [], left: [], channels: [] });
    expect((await client.next()).text).toBe('last');
    await change(url, id, { join: ['rooms/a'] });
    await change(url, id, { join: ['rooms/b'] });
    await hub.publish('rooms/b', { data: 'b' });
    expect((await client.next()).text).toBe('b');
  });

  it('can have a channel taken away, and the stream ended, like any other', async () => {
    const { hub, url, access } = await start();
    const headers = { 'x-user': 'ada' };
    const { client, id } = await openEndpoint(url, ['rooms/a'], { headers });
    await change(url, id, { join: ['rooms/b'] }, headers);
    access.closed.add('rooms/b');
    expect(await hub.revoke('ada', 'rooms/b')).toEqual({ ended: 1, away: [] });
    expect(await client.next()).toMatchObject({
      type: 'denied',
      text: '{"channel":"rooms/b","reason":"revoked"}',
    });
    expect((await change(url, id, { join: ['rooms/b'] }, headers)).body.denied).toEqual(['rooms/b']);
    expect(await hub.disconnect({ id })).toEqual({ ended: 1, away: [] });
    expect(await client.ended()).toBe('ended');
  });
});
