import { describe, expect, it } from '@jest/globals';
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
      wants: undefined,
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
