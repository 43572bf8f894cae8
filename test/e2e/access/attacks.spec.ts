import { describe, expect, it } from '@jest/globals';
import { defineChannel, SseModule } from '../../../src/sse/index.js';
import type { TestStream } from '../../../src/sse/testing/index.js';
import { adapters } from '../../support/adapters.js';
import { untilConnections, untilSubscribers } from '../../support/sse-app.js';
import { LogRecorder } from '../http/log-recorder.js';
import { Random } from '../streams/random.js';
import { Wire } from '../http/wire.js';
import { denied } from './denied.js';
import { pathOf, startRoomsApp, type RoomsApp } from './rooms-app.js';

const Room = defineChannel('rooms/:room');
const imports = [SseModule.forFeature([Room])];

/** The application with secrets in its channels, and the ids that lead to them. */
async function startWithSecrets(): Promise<RoomsApp & { ids: Record<string, string> }> {
  const roomsApp = await startRoomsApp({ imports });
  const { hub } = roomsApp;
  /** The position before the first event of a channel. */
  const first = async (channel: string, data: string): Promise<string> => {
    const { position } = await hub.history(channel);
    await hub.publish(channel, { data });
    return position;
  };
  const ids = {
    bob: await first('rooms/bob', 'secret'),
    other: await hub.publish('other', { data: 'secret' }),
    ann: await first('rooms/ann', 'yours'),
    bobs: await hub.publish('rooms/bob', { data: 'secret too' }),
  };
  await hub.publish('rooms/ann', { data: 'yours too' });
  return { ...roomsApp, ids };
}

/** Everything that a client gets until a last event of its own channel. */
async function allOf(client: TestStream, { hub }: RoomsApp): Promise<string> {
  expect(client.status).toBe(200);
  await hub.publish('rooms/ann', { data: 'last' });
  await client.until(({ text }) => text === 'last');
  client.close();
  return client.raw;
}

const reasonIn = (wire: string): string | undefined => /"reason":"(\w+)"/.exec(wire)?.[1];

describe('an id is not a key', () => {
  it.each<[string, (ids: Record<string, string>) => string, string | undefined]>([
    ['of another channel, which nobody guards', ({ other }) => other!, 'unknown'],
    ['of another user, who has more to see', ({ bobs }) => bobs!, 'unknown'],
    ['of another channel, before its first event', ({ bob }) => bob!, undefined],
    ['of an event that never was', () => '1.abcdefghijkl', 'unknown'],
    ['of version 0.1', () => 'abcdefgh-0', 'unknown'],
    ['of no form', () => 'rooms/bob', 'unreadable'],
    ['of its own channel, far ahead', ({ ann }) => ann!.replace(/^0/, '999999'), 'unknown'],
    ['that names a foreign channel', ({ bob }) => `rooms%2Fbob=${bob}`, undefined],
    ['that names a foreign channel twice', ({ bob }) => `rooms%2Fbob=${bob}&rooms%2Fbob=${bob}`, undefined],
    [
      'that names a foreign and its own',
      ({ bob, ann }) => `rooms%2Fbob=${bob}&rooms%2Fann=${ann}`,
      undefined,
    ],
    ['that names a foreign event as its own', ({ bobs }) => `rooms%2Fann=${bobs}`, 'unknown'],
    ['that names its own by another spelling', ({ ann }) => `rooms/%61nn=${ann}`, undefined],
    ['that names what every object has', ({ bob }) => `__proto__=${bob}&constructor=${bob}`, undefined],
    ['that is too long', ({ bob }) => `${'a'.repeat(4_200)}=${bob}&rooms%2Fbob=${bob}`, 'unreadable'],
  ])('one %s gives nothing of another channel', async (_, idOf, reason) => {
    const roomsApp = await startWithSecrets();
    const id = idOf(roomsApp.ids);
    const path = pathOf(['rooms/ann']);
    const asHeader = await allOf(await roomsApp.openAt(path, 'ann', id), roomsApp);
    const inQuery = `${path}&lastEventId=${encodeURIComponent(id)}`;
    const asQuery = await allOf(await roomsApp.openAt(inQuery, 'ann'), roomsApp);
    for (const wire of [asHeader, asQuery]) {
      expect(wire).not.toContain('secret');
      expect(reasonIn(wire)).toBe(reason);
    }
    // Together with a channel that is denied: as if that one were not there, but that it is said so.
    const both = await roomsApp.openAt(pathOf(['rooms/bob', 'rooms/ann']), 'ann', id);
    const wire = await allOf(both, roomsApp);
    expect(both.events).toContainEqual(expect.objectContaining(denied('rooms/bob')));
    expect(wire).not.toContain('secret');
    // And alone it opens nothing.
    expect((await roomsApp.answerAt(pathOf(['rooms/bob']), 'ann', id)).status).toBe(403);
  });

  it('whatever it is: no error, and nothing of another channel (seeded)', async () => {
    const roomsApp = await startWithSecrets();
    const random = new Random(5);
    const parts = [
      'rooms%2Fbob',
      'rooms/bob',
      'rooms%2Fann',
      roomsApp.ids.bob!,
      roomsApp.ids.ann!,
      '=',
      '&',
      '%',
    ];
    parts.push('.', '-', '0', '\0', '\r\n', '__proto__', 'other', roomsApp.ids.other!, '%00', 'ü', '..');
    for (let i = 0; i < 60; i++) {
      const id = Array.from({ length: random.between(1, 8) }, () => random.oneOf(parts)).join('');
      const path = `${pathOf(['rooms/ann', 'rooms/bob'])}&lastEventId=${encodeURIComponent(id)}`;
      expect(await allOf(await roomsApp.openAt(path, 'ann'), roomsApp)).not.toContain('secret');
    }
  });
});

describe.each(adapters)('names that a client sends (%s)', (adapter) => {
  it.each<[string, string, string | undefined]>([
    ['a path within a parameter', 'rooms/ann%2F..%2Fbob', 'ann/../bob'],
    ['a separator within a parameter', 'rooms/ann%2Fbob', 'ann/bob'],
    ['what looks like a parameter', 'rooms/ann%3Aroom', 'ann:room'],
    ['what every object has', 'rooms/ann__proto__', 'ann__proto__'],
    ['a line end within a parameter', 'rooms/ann%0D%0Adata%3A%20x', 'ann\r\ndata: x'],
    ['NUL within a parameter', 'rooms/ann%00', 'ann\0'],
    ['a letter that is encoded', 'rooms/%61nn', undefined],
    ['hex digits in lower case', 'rooms/ann%2fbob', undefined],
    ['what is not encoded', 'rooms/ann bob', undefined],
    ['what is not encoded, of another alphabet', 'rooms/annü', undefined],
    ['broken encoding', 'rooms/ann%', undefined],
    ['encoding of what is no UTF-8', 'rooms/ann%FF', undefined],
    ['encoding that is too long for a letter', 'rooms/%C1%A1nn', undefined],
  ])('are asked for as what they are, or denied: %s', async (_, channel, room) => {
    const { open, openAt, rooms, hub, app } = await startRoomsApp({ adapter, imports });
    const log = new LogRecorder();
    app.useLogger(log);
    rooms.answer = () => true;
    const opening = open('ann', channel);
    if (room === undefined) {
      await expect(opening).rejects.toMatchObject({ status: 403 });
      expect(rooms.asked).toEqual([]);
      await log.until(/is denied: the values in its name are not encoded .*ChannelDefinition\.of\(\)/);
      expect(log.entries[0]!.text).not.toMatch(/[\r\n]/);
    } else {
      await opening;
      expect(rooms.asked).toMatchObject([{ channel, params: { room } }]);
      expect(Room.of({ room })).toBe(channel);
      await untilSubscribers(hub, channel, 1);
    }
    // It is no other channel in any case.
    await openAt(pathOf(['rooms/ann', 'rooms/bob']), 'ann');
    await hub.publish('rooms/ann', { data: 'secret' });
    await hub.publish('rooms/bob', { data: 'secret' });
    await hub.publish(channel, { data: 'its own' });
    if (room !== undefined) expect((await (await opening).next()).text).toBe('its own');
  });

  // No adapter has a hand in what follows.
  if (adapter !== 'express') return;

  it('are refused when they are ill-formed, with an error that is no stream', async () => {
    const cases = {
      'an empty one': [''],
      'empty segments': ['rooms//ann'],
      'a slash at the end': ['rooms/ann/'],
      'one that is too long': [`rooms/${'a'.repeat(200)}`],
      'line ends': ['rooms/ann\r\ndata: forged'],
      NUL: ['rooms/ann\0'],
      'the name of a parameter': ['rooms/:ann'],
      hundreds: Array.from({ length: 300 }, (_, i) => `rooms/ann${i}`),
      'some that are too long together': Array.from(
        { length: 40 },
        (_, i) => `rooms/ann${i}${'a'.repeat(150)}`,
      ),
    };
    const { answer, rooms, hub } = await startRoomsApp({ adapter, imports });
    for (const [what, channels] of Object.entries(cases)) {
      const { status, body } = await answer('ann', ...channels);
      expect([what, status]).toEqual([what, 500]);
      expect(JSON.stringify(body)).not.toMatch(/forged|ann/);
      expect(rooms.asked).toEqual([]);
      await untilConnections(hub, 0);
    }
  });

  it('may be as many as a stream takes, and each is asked for once and told of', async () => {
    const { open, rooms } = await startRoomsApp({ adapter, imports });
    const strangers = Array.from({ length: 49 }, (_, i) => `rooms/b${i}`);
    const client = await open('ann', 'rooms/ann', ...strangers, ...strangers);
    expect(client.status).toBe(200);
    expect(await client.take(49)).toMatchObject(strangers.map((name) => denied(name)));
    expect(rooms.asked).toHaveLength(50);
  });

  it('may be thousands, one after the other, and what is remembered of them stays bounded', async () => {
    const { app } = await startRoomsApp({ adapter, imports });
    const { ChannelHandlers } = await import('../../../src/sse/handlers/channel-handlers.js');
    const handlers = app.get(ChannelHandlers, { strict: false });
    const known = handlers.of('authorize', 'rooms/0');
    for (let i = 0; i <= 10_000; i++) handlers.of('authorize', `rooms/${i}`);
    // It was forgotten meanwhile, and found again.
    expect(handlers.of('authorize', 'rooms/0')).not.toBe(known);
    expect(handlers.of('authorize', 'rooms/0')).toEqual(known);
  });
});

describe.each(adapters)('line ends and NUL (%s)', (adapter) => {
  const evil = '\r\n\r\ndata: forged\r\n\r\n';

  it('in the address make no event', async () => {
    const paths = [
      `${pathOf(['rooms/ann'])}&lastEventId=${encodeURIComponent(`x${evil}\0`)}`,
      `${pathOf(['rooms/ann'])}&${encodeURIComponent(evil)}=1`,
      `${pathOf(['rooms/ann'])}&x=${encodeURIComponent(`${evil}\0`)}`,
      pathOf(['rooms/ann', `rooms/${encodeURIComponent(evil)}`]),
    ];
    const roomsApp = await startRoomsApp({ adapter, imports });
    for (const path of paths) {
      const client = await roomsApp.openAt(path, 'ann');
      const wire = await allOf(client, roomsApp);
      expect(wire).not.toMatch(/^data: forged/m);
      expect(client.events.map(({ text }) => text)).not.toContain('forged');
    }
  });

  it('sent as bytes in a header are refused, or are one text', async () => {
    const cases = [
      'Authorization: bob\0\r\n',
      'Authorization: ann\r\n\tbob\r\n',
      'Authorization: ann\nX: y\r\n',
      'Last-Event-ID: a\0b\r\n',
      'Last-Event-ID : a\r\n',
    ];
    const { url, hub } = await startRoomsApp({ adapter, imports });
    await hub.publish('rooms/bob', { data: 'secret' });
    for (const line of cases) {
      const wire = await Wire.connect(url);
      const authorization = line.startsWith('Authorization') ? '' : 'Authorization: ann\r\n';
      wire.send(
        `GET ${pathOf(['rooms/bob'])} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${authorization}${line}\r\n`,
      );
      await wire.closed;
      expect(wire.text).toMatch(/^HTTP\/1\.1 (400|403) /);
      expect(wire.text).not.toContain('secret');
    }
  });
});

describe('more than a server reads', () => {
  it.each(adapters)('is refused, and the next one is served (%s)', async (adapter) => {
    const { url, open, hub } = await startRoomsApp({ adapter, imports });
    for (const path of [
      `/events?channel=${'x'.repeat(100_000)}`,
      `/events?${'channel=rooms/ann&'.repeat(5_000)}`,
    ]) {
      const wire = await Wire.connect(url);
      wire.send(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ann\r\n\r\n`);
      await wire.closed;
      expect(wire.text).toMatch(/^HTTP\/1\.1 431 /);
    }
    expect((await open('ann', 'rooms/ann')).status).toBe(200);
    await untilConnections(hub, 1);
  });
});
