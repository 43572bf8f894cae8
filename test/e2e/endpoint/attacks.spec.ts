import { Injectable, type Type } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { AuthorizeChannel } from '../../../src/sse/index.js';
import type { SseModuleOptions } from '../../../src/sse/index.js';
import { adapters } from '../../support/adapters.js';
import { answerTo } from '../../support/open-stream.js';
import { change, openEndpoint, startEndpointApp } from './endpoint-app.js';

const UNKNOWN = '0b9f3f6c-8f2b-4d0c-9a40-1f0f5f3f9e11';
const rooms = (count: number): string[] => Array.from({ length: count }, (_, i) => `rooms/${i}`);

/** Topics of one word are for everybody, or for nobody. */
function topicAccess(isOpen: boolean): Type {
  @Injectable()
  class TopicAccess {
    @AuthorizeChannel(':topic')
    maySee(): boolean {
      return isOpen;
    }
  }
  return TopicAccess;
}

describe.each(adapters)('attacks on the endpoint (%s)', (adapter) => {
  const start = (sse: SseModuleOptions = {}, providers: Type[] = []) =>
    startEndpointApp(sse, { adapter, providers });

  it('knows no connection that it has not named', async () => {
    const { url } = await start();
    for (const id of ['x', '..%2F..', '%00', '__proto__', 'null', 'x'.repeat(90)]) {
      expect([id, (await change(url, id, {})).status]).toEqual([id, 404]);
    }
  });

  it('refuses who is known by what has expired', async () => {
    const { url } = await start({ identify: () => ({ user: 'ada', expiresAt: Date.now() - 1 }) });
    expect((await change(url, UNKNOWN, {})).status).toBe(401);
  });

  it.each([
    ['a list', []],
    ['a text', '"join"'],
    ['nothing', 'null'],
    ['no JSON', '{'],
    ['a name', { join: 'rooms/a' }],
  ])('refuses a body with %s, and changes nothing', async (_, body) => {
    const { url, access } = await start();
    const { id } = await openEndpoint(url, ['rooms/x']);
    access.asked.length = 0;
    expect((await change(url, id, body)).status).toBe(400);
    expect(access.asked).toEqual([]);
    expect((await change(url, id, {})).body.channels).toEqual(['rooms/x']);
  });

  it('refuses a huge body', async () => {
    const { url } = await start();
    const { id } = await openEndpoint(url, []);
    expect((await change(url, id, { join: ['x'.repeat(2_000_000)] })).status).toBe(413);
  });

  it('refuses a query of ill-formed or of too many channels', async () => {
    const cases = [
      ['hundreds of channels', rooms(300)],
      ['line ends', ['rooms/a\r\ndata: forged']],
      ['an empty name', ['']],
      ['names whose ids would be too long', rooms(40).map((name) => name.padEnd(60, 'ä'))],
    ] as const;
    for (const [_, channels] of cases) {
      const { url } = await start();
      const query = channels.map((channel) => `channel=${encodeURIComponent(channel)}`).join('&');
      const client = await answerTo(`${url}/events?${query}`);
      expect(client.status).toBe(400);
    }
  });

  // No adapter has a hand in what follows.
  if (adapter !== 'express') return;

  it("answers for somebody else's connection as for one that is not there", async () => {
    const { url } = await start();
    const ada = { 'x-user': 'ada' };
    const { id } = await openEndpoint(url, ['rooms/a'], { headers: ada });
    const body = { join: ['rooms/b'], leave: ['rooms/a'] };
    const unknown = await change(url, UNKNOWN, body, { 'x-user': 'eve' });
    expect(unknown.status).toBe(404);
    for (const headers of [{ 'x-user': 'eve' }, {}]) {
      const { status, body: answered } = await change(url, id, body, headers);
      expect([status, answered]).toEqual([404, unknown.body]);
    }
    expect((await change(url, id, {}, ada)).body.channels).toEqual(['rooms/a']);
  });

  it('takes the connection of nobody known for that of who knows its id', async () => {
    const { url } = await start();
    const { id } = await openEndpoint(url, []);
    expect((await change(url, id, { join: ['boxes/eve'] }, { 'x-user': 'eve' })).body.denied).toEqual([
      'boxes/eve',
    ]);
  });

  it('refuses a body that does not name channels as it should, and changes nothing', async () => {
    const { url, access } = await start();
    const { id } = await openEndpoint(url, ['rooms/x']);
    access.asked.length = 0;
    const bodies = {
      numbers: { join: [1] },
      'lists of lists': { join: [['rooms/a']] },
      'an object': { join: { 0: 'rooms/a', length: 1 } },
      null: { leave: null },
      'a position without its channel': { join: [{ lastEventId: '1.abcde' }] },
      'a position that is no text': { join: [{ channel: 'rooms/a', lastEventId: 1 }] },
      'something else beside a position': { join: [{ channel: 'rooms/a', replay: 'all' }] },
      'a position of what is left': { leave: [{ channel: 'rooms/x', lastEventId: '1.abcde' }] },
      'something else': { join: [], replay: 'all' },
      'no name': { join: [''] },
      'line ends': { join: ['rooms/a\r\nid: 1\r\ndata: forged'] },
      'a name too long': { leave: ['a'.repeat(201)] },
      'a channel both ways': { join: ['rooms/a'], leave: ['rooms/a'] },
      'hundreds of channels': { join: rooms(600) },
      'hundreds of channels to leave': { leave: rooms(600) },
      'long names': { join: rooms(40).map((name) => name.padEnd(200, 'ä')) },
    };
    for (const [what, body] of Object.entries(bodies)) {
      expect([what, (await change(url, id, body)).status]).toEqual([what, 400]);
    }
    expect(access.asked).toEqual([]);
    expect((await change(url, id, {})).body.channels).toEqual(['rooms/x']);
  });

  it('tells of a gap who joins from a position that is unreadable', async () => {
    const cases = [
      ['of no form', 'x'],
      ['of a channel without history', '*'],
      ['that is cut off', 'news=1.abcde&rooms%2Fa='],
      ['that is too long', 'x'.repeat(5_000)],
    ] as const;
    for (const [_, lastEventId] of cases) {
      const { url } = await start();
      const { client, id } = await openEndpoint(url, []);
      expect((await change(url, id, { join: [{ channel: 'rooms/a', lastEventId }] })).status).toBe(200);
      const { type, data } = await client.next();
      expect([type, data]).toMatchObject(['gap', { channel: 'rooms/a', reason: 'unreadable' }]);
    }
  });

  it('takes whatever is named for one name, or for none that is granted', async () => {
    const cases = [
      'rooms/a&rooms%2Fb=x',
      'rooms/a,b',
      'rooms/a=abc-1',
      'rooms/%2F..%2Fsecret',
      'rooms/*',
      'rooms/ä b',
    ];
    for (const name of cases) {
      const { hub, url, access } = await start({ retry: 1 });
      const { client, id } = await openEndpoint(url, ['rooms/x'], { reconnect: true });
      const { joined, denied } = (await change(url, id, { join: [name] })).body;
      expect([...joined, ...denied]).toEqual([name]);
      expect(access.asked.map(({ channel }) => channel)).not.toContain('rooms/secret');
      if (joined.length === 0) continue;
      await hub.publish(name, { data: 'here' });
      await client.next();
      client.drop('fin');
      await client.next();
      expect((await hub.connections())[0]!.channels).toEqual(['rooms/x', name]);
    }
  });

  describe.each(['constructor', '__proto__', 'toString'])(
    'takes a channel called %j for any other',
    (name) => {
      it('that is granted', async () => {
        const { hub, url } = await start({}, [topicAccess(true)]);
        const { client, id } = await openEndpoint(url, []);
        const lastEventId = await hub.publish(name, { data: '1' });
        const missed = await hub.publish(name, { data: '2' });
        const { status, body } = await change(url, id, { join: [name] });
        expect([status, body]).toMatchObject([200, { joined: [name], denied: [], channels: [name] }]);
        expect(Object.entries(body.positions as object)).toEqual([[name, missed]]);
        await change(url, id, { leave: [name] });
        await change(url, id, { join: [{ channel: name, lastEventId }] });
        expect(await client.next()).toMatchObject({ text: '2' });
      });

      it('that is denied', async () => {
        const { url } = await start({}, [topicAccess(false)]);
        const { id } = await openEndpoint(url, ['rooms/x']);
        const { status, body } = await change(url, id, { join: [name] });
        const channels = ['rooms/x'];
        expect([status, body]).toEqual([
          200,
          { joined: [], positions: {}, denied: [name], left: [], channels },
        ]);
      });
    },
  );

  it('joins no more channels than a response takes, also in several requests', async () => {
    const { url } = await start({ limits: { channelsPerConnection: 3 } });
    const { id } = await openEndpoint(url, ['rooms/x']);
    const answers = await Promise.all(rooms(4).map((name) => change(url, id, { join: [name] })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 400, 400]);
    const { channels } = (await change(url, id, {})).body;
    expect(channels).toHaveLength(3);
    expect((await change(url, id, { join: ['rooms/y'], leave: [channels[0]] })).status).toBe(200);
  });

  it('joins no more often than it is allowed', async () => {
    const { url, access } = await start({ limits: { channelsPerConnection: 4, joinsPerSecond: 1 } });
    const { id } = await openEndpoint(url, []);
    expect((await change(url, id, { join: rooms(4) })).status).toBe(200);
    const refused = await change(url, id, { join: rooms(3), leave: ['rooms/3'] });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(2);
    expect(access.asked).toHaveLength(4);
    expect((await change(url, id, {})).body.channels).toHaveLength(4);
  });

  it.each(['broken', 'never'])('denies what an authoriser does not answer: rooms/%s', async (room) => {
    const { url } = await start({ authorizeTime: 50 });
    const { id } = await openEndpoint(url, ['rooms/x']);
    const { body } = await change(url, id, { join: [`rooms/${room}`, 'rooms/a'] });
    expect(body).toMatchObject({ denied: [`rooms/${room}`], channels: ['rooms/x', 'rooms/a'] });
  });

  it('does not join what was left while it was decided', async () => {
    const { url } = await start({ authorizeTime: 200 });
    const { id } = await openEndpoint(url, []);
    const joining = change(url, id, { join: ['rooms/a', 'rooms/never'] });
    await change(url, id, { leave: ['rooms/never'] });
    expect((await joining).body.channels).toEqual(['rooms/a']);
  });
});
