import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, jest } from '@jest/globals';
import type { Unsubscribable } from 'rxjs';
import { MemoryBackplane } from '../../../src/sse/backplanes/memory/memory.backplane.js';
import { ChannelDefinitions } from '../../../src/sse/channels/channel-definitions.js';
import { defineChannel } from '../../../src/sse/channels/channel-definition.js';
import { Channels } from '../../../src/sse/channels/channels.js';
import { RunQueue } from '../../../src/sse/channels/run-queue.js';
import type { SseEvent } from '../../../src/sse/log/sse-event.js';
import { NO_POSITION, parseLastEventId } from '../../../src/sse/protocol/position.js';
import { ChannelWriter } from '../../../src/sse/publishing/channel-writer.js';
import { moduleSettings } from '../../../src/sse/sse.settings.js';
import { ChannelStream } from '../../../src/sse/streams/channel-stream.js';
import type { ClientPosition } from '../../../src/sse/streams/client-position.js';
import { FullIds } from '../../../src/sse/streams/full-ids.js';
import { OwnIds } from '../../../src/sse/streams/own-ids.js';
import { DETACHED } from '../../../src/sse/streams/sink.js';
import { StreamReader } from '../../../src/sse/streams/stream-reader.js';
import { Streams } from '../../../src/sse/streams/streams.js';
import { eventually } from '../../support/eventually.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Streams of a hub in memory; the channel `clock` has no history. */
function makeStreams() {
  const settings = moduleSettings();
  const backplane = new MemoryBackplane(settings.limits);
  const definitions = new ChannelDefinitions(settings, [defineChannel('clock', { history: 0 })]);
  const channels = new Channels(backplane, definitions, new RunQueue(), 'hub');
  const none = { of: () => undefined };
  const streams = new Streams(channels, none, definitions, backplane, undefined as never, settings);
  const writer = new ChannelWriter(definitions, backplane, settings, 'hub');
  const publish = (channel: string, data: string) => writer.publish(channel, { data });
  return { streams, publish };
}

/** A reader whose client holds what it gets: nothing goes out but what the test sends. */
function read(streams: Streams, position: ClientPosition) {
  const reader = new StreamReader(streams, DETACHED, position);
  const held: SseEvent[] = [];
  const open = async (channel: string): Promise<Unsubscribable> => {
    const request = {
      channels: [channel],
      lastEventId: NO_POSITION,
      replay: 'none',
      authorize: false,
    } as const;
    const stream = new ChannelStream(streams, {
      ...request,
      begin: 'resume',
      ifAbsent: 'wait',
      filter: undefined,
      onCaughtUp: undefined,
    });
    const observer = { next: (event: SseEvent) => held.push(event), error: () => {}, complete: () => {} };
    const subscription = stream.join(reader, observer);
    await eventually(() => position.of(channel)?.started === true);
    return subscription;
  };
  const send = (event: SseEvent, which: 'earlier' | 'last' = 'last') =>
    position.idOf(position.placeOf(event)!, which);
  return { reader, held, open, send };
}

/** The channels that an id names. */
function namedIn(id: string | undefined): Set<string> {
  const read = parseLastEventId(id);
  return new Set(read.kind === 'named' ? read.positions.keys() : []);
}

describe('The position in a channel that was left', () => {
  const leave = async (position: ClientPosition) => {
    const { streams, publish } = makeStreams();
    const { reader, held, open, send } = read(streams, position);
    const left = await open('left');
    await open('stays');
    position.takeId();
    const ids = [await publish('left', '1'), await publish('left', '2'), await publish('stays', '3')];
    await eventually(() => held.length === 3);
    left.unsubscribe();
    return { reader, held, send, ids, publish, open };
  };

  it('moves with the events of it that come out later, and is where it begins again', async () => {
    const position = new OwnIds(NO_POSITION);
    const { held, send, ids } = await leave(position);
    expect(send(held[0]!)).toBe(`left=${ids[0]}`);
    expect(position.beginningIn('left', NO_POSITION)).toMatchObject({ kind: 'bare', text: ids[0] });
    expect(send(held[1]!)).toBe(`left=${ids[1]}`);
    // An operator may change the order.
    expect(send(held[0]!)).toBe(`left=${ids[1]}`);
    expect(send(held[2]!)).toBe(`stays=${ids[2]}`);
  });

  it('is in each full id', async () => {
    const position = new FullIds(NO_POSITION);
    const { held, send, ids } = await leave(position);
    expect(send(held[2]!)).toMatch(new RegExp(`^stays=${ids[2]}&left=0\\.`));
    expect(send(held[1]!)).toBe(`stays=${ids[2]}&left=${ids[1]}`);
  });

  it('does not move to an event that the response has not read', async () => {
    const position = new OwnIds(NO_POSITION);
    const { send, ids, publish } = await leave(position);
    const id = await publish('left', 'later');
    expect(send({ channel: 'left', id, data: 'a copy' })).toMatch(/^left=0\./);
    expect(send({ channel: 'left', id: ids[0]!, data: 'a copy' })).toBe(`left=${ids[0]}`);
  });

  it('is found by the hash of a copy that has lost its channel', async () => {
    const position = new FullIds(NO_POSITION);
    const { held, ids } = await leave(position);
    expect(position.placeOf({ id: ids[0], data: held[0]!.data })).toMatchObject({ channel: 'left' });
  });

  it('is not that of a channel which is read, also among many', async () => {
    const position = new OwnIds(NO_POSITION);
    const { streams } = makeStreams();
    const { open } = read(streams, position);
    const opened: Unsubscribable[] = [];
    for (let i = 0; i < 12; i++) opened.push(await open(`rooms/${i}`));
    opened[3]!.unsubscribe();
    expect(position.of('rooms/3')).toBeUndefined();
    expect(position.of('rooms/4')?.channel.name).toBe('rooms/4');
    await open('rooms/3');
    expect(position.names.at(-1)).toBe('rooms/3');
  });

  it('makes room for those of others where there are many', async () => {
    const position = new OwnIds(NO_POSITION);
    const { streams } = makeStreams();
    const { open } = read(streams, position);
    for (let i = 0; i < 502; i++) (await open(`rooms/${i}`)).unsubscribe();
    expect(position.beginningIn('rooms/1', NO_POSITION)).toBe(NO_POSITION);
    expect(position.beginningIn('rooms/2', NO_POSITION)).toMatchObject({ kind: 'bare' });
  });
});

describe('Full ids', () => {
  it('name no more channels than have room, and those that were left last', async () => {
    const position = new FullIds(NO_POSITION);
    const { open } = read(makeStreams().streams, position);
    for (let i = 0; i < 100; i++) (await open(`rooms/${i}`)).unsubscribe();
    const named = [...namedIn(position.takeId())];
    expect(named).toEqual(Array.from({ length: 67 }, (_, i) => `rooms/${33 + i}`));
  });

  it('do not go on with hundreds of names that a client came with, which keep their positions', async () => {
    const text = Array.from({ length: 250 }, (_, i) => `${i}=5.markhash`).join('&');
    const position = new FullIds(parseLastEventId(text));
    const { open } = read(makeStreams().streams, position);
    await open('rooms/a');
    expect(namedIn(position.takeId()).size).toBeLessThan(80);
    expect(position.beginningIn('249', NO_POSITION)).toMatchObject({ text: '5.markhash' });
  });
});

describe('Full ids of clients that are sent the same events', () => {
  /** What a client came with, and what it does before any event. */
  interface Client {
    readonly position?: ClientPosition;
    readonly opens: readonly string[];
    readonly leaves?: string;
  }
  const bare = () => new FullIds(parseLastEventId('1.markmark0000'));
  const joined = () => Object.assign(new FullIds(NO_POSITION), { channels: 'joined' as const });
  const clients = (): Client[] => [
    { opens: ['a', 'b'] },
    { opens: ['a', 'b'] },
    { opens: ['b', 'a'] },
    { opens: ['a', 'b', 'clock'] },
    { opens: ['a'] },
    { opens: ['a'], position: bare() },
    { opens: ['a'], position: joined() },
    { opens: ['a', 'b'], position: bare() },
    { opens: ['a', 'b'], position: joined() },
    { opens: ['a', 'b'], position: new FullIds(parseLastEventId('c=7.markmark0000')) },
    { opens: ['a', 'b'], position: new FullIds(parseLastEventId('c=8.markmark0000')) },
    { opens: ['a', 'b', 'c'], leaves: 'c' },
    { opens: ['a', 'b'] },
    { opens: ['a', 'b'], position: new OwnIds(NO_POSITION) },
    { opens: ['a', 'b'] },
  ];

  async function enter({ streams }: ReturnType<typeof makeStreams>, client: Client) {
    const position = client.position ?? new FullIds(NO_POSITION);
    const reading = { position, ...read(streams, position) };
    for (const channel of client.opens) {
      const opened = await reading.open(channel);
      if (channel === client.leaves) opened.unsubscribe();
    }
    return reading;
  }
  type Reading = Awaited<ReturnType<typeof enter>>;

  /** Sends what a client holds of a channel, and expects each id to say where the client is then. */
  function sendAll({ position, held, send }: Reading, channel: string): (string | undefined)[] {
    const events = held.splice(0).filter((event) => event.channel === channel && position.of(channel));
    return events.map((event) => {
      position.hasMoved = true;
      const id = send(event);
      if (position.form === 'full') {
        expect(position.hasMoved).toBe(false);
        expect(position.takeId()).toBe(id);
      }
      return id;
    });
  }

  it('say where each of them is, whoever was sent the event before', async () => {
    const made = makeStreams();
    await made.publish('a', '0');
    await made.publish('b', '0');
    const readings = await Promise.all(clients().map((client) => enter(made, client)));
    for (const channel of ['a', 'a', 'b', 'a', 'b']) {
      await made.publish(channel, 'more');
      await eventually(() =>
        readings.every(({ position, held }) => !position.of(channel) || held.length > 0),
      );
      const ids = readings.map((reading) => sendAll(reading, channel));
      expect(ids[1]).toEqual(ids[0]);
      expect(ids.at(-1)).toEqual(ids[0]);
    }
  });

  it('differ where one has begun later, has left a channel, or has held an event back', async () => {
    const made = makeStreams();
    await made.publish('a', '0');
    const [first, late, holding] = [
      await enter(made, { opens: ['a', 'b'] }),
      await enter(made, { opens: ['a'] }),
      await enter(made, { opens: ['a', 'b'] }),
    ];
    await made.publish('b', '1');
    await late.open('b');
    const left = await first.open('c');
    for (const data of ['2', '3']) await made.publish('a', data);
    const all = [first, late, holding];
    await eventually(() =>
      all.every(({ held }) => held.filter(({ channel }) => channel === 'a').length === 2),
    );
    holding.held.shift(); // that of b: what is sent of a does not move the client past it
    const before = all.map((reading) => sendAll(reading, 'a'));
    expect(new Set(before.map(([id]) => id)).size).toBe(3);
    left.unsubscribe();
    await made.publish('a', '4');
    await eventually(() => all.every(({ held }) => held.length > 0));
    const after = all.map((reading) => sendAll(reading, 'a'));
    expect([...namedIn(after[0]![0])]).toEqual(['a', 'b', 'c']);
    expect(new Set(after.map(([id]) => id)).size).toBe(3);
  });

  it('are made once for those at the same positions', async () => {
    const made = makeStreams();
    const [one, other] = [await enter(made, { opens: ['a', 'b'] }), await enter(made, { opens: ['a', 'b'] })];
    await made.publish('a', '1');
    await eventually(() => one.held.length === 1 && other.held.length === 1);
    const id = one.send(one.held[0]!);
    const [makes, sent] = [
      jest.spyOn(other.position.of('a')!.channel, 'idOf'),
      jest.spyOn(other.position.of('b')!, 'positionSent'),
    ];
    expect(other.send(other.held[0]!)).toBe(id);
    expect(makes).not.toHaveBeenCalled();
    expect(sent).toHaveBeenCalledTimes(1);
  });

  it('keep no channel in memory that a client has left', async () => {
    const made = makeStreams();
    const stays = await enter(made, { opens: ['news'] });
    const open = async (): Promise<WeakRef<object>> => {
      const one = await enter(made, { opens: ['news', 'users/1'] });
      await made.publish('news', '1');
      await eventually(() => one.held.length === 1);
      one.send(one.held[0]!);
      const { channel } = one.position.of('users/1')!;
      one.reader.end();
      for (const cursor of one.position.cursors) one.reader.leave(cursor);
      return new WeakRef(channel);
    };
    const left = await open();
    await eventually(() => {
      collect();
      return left.deref() === undefined;
    });
    expect(stays.held).toHaveLength(1);
  });

  it('do not take a client back that an operator gives them in another order', async () => {
    const made = makeStreams();
    const [one, other] = [await enter(made, { opens: ['a', 'b'] }), await enter(made, { opens: ['a', 'b'] })];
    for (const data of ['1', '2']) await made.publish('a', data);
    await eventually(() => one.held.length === 2 && other.held.length === 2);
    const ids = sendAll(one, 'a');
    other.held.reverse();
    expect(sendAll(other, 'a')).toEqual([ids[1], ids[1]]);
  });
});

describe('Own ids', () => {
  it('tell each position once, and again what may not have been stored', async () => {
    const position = new OwnIds(NO_POSITION);
    const { streams, publish } = makeStreams();
    const { held, open, send } = read(streams, position);
    await open('a');
    await open('clock');
    expect(position.takeId()).toMatch(/^a=0\.\w+&clock=\*$/);
    expect(position.takeId()).toBeUndefined();
    await open('b');
    expect(position.takeId()).toMatch(/^b=0\.\w+$/);
    const id = await publish('a', '1');
    await publish('clock', 'tick');
    await eventually(() => held.length === 2);
    expect(held.map((event) => send(event))).toEqual([`a=${id}`, 'clock=*']);
    expect(position.takeId()).toBeUndefined();
    position.notStored('a');
    expect(position.takeId()).toBe(`a=${id}`);
  });

  it('name the channel of several values of one event, and move with the last', async () => {
    const position = new OwnIds(NO_POSITION);
    const { streams, publish } = makeStreams();
    const { held, open, send } = read(streams, position);
    await open('a');
    const begin = position.takeId();
    const id = await publish('a', '1');
    await eventually(() => held.length === 1);
    expect([send(held[0]!, 'earlier'), send(held[0]!)]).toEqual([begin, `a=${id}`]);
  });

  it('do not say what the client came with, before a channel is read', async () => {
    const position = new OwnIds(parseLastEventId('a=1.markmark0000&clock=*'));
    const { streams } = makeStreams();
    const { open } = read(streams, position);
    expect(position.takeId()).toBeUndefined();
    await open('clock');
    expect(position.takeId()).toBe('clock=*');
  });
});

describe('Positions that came in place of a last event ID', () => {
  it('are those of the client, also one that cannot be read', () => {
    const position = new FullIds(parseLastEventId('1.markmark0000'));
    const unreadable = { kind: 'unreadable', text: 'x' } as const;
    position.bring(
      new Map([
        ['a', parseLastEventId('7.markmark0000')],
        ['b', unreadable],
        ['c', NO_POSITION],
      ]),
    );
    expect(position.beginningIn('a', position.brought)).toMatchObject({ position: { offset: 7 } });
    expect(position.beginningIn('b', position.brought)).toBe(unreadable);
    expect(position.beginningIn('c', position.brought)).toBe(NO_POSITION);
    expect(position.beginningIn('others', position.brought)).toBe(NO_POSITION);
  });
});
