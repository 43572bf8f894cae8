import { Controller, Injectable, Post } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { defineChannel, Publish, SseHub, SseModule, type } from '../../../src/index.js';
import { recordPublished, streamMatchers } from '../../../src/sse/testing/index.js';
import { whenTestEnds } from '../../support/clean-up.js';

expect.extend(streamMatchers);

const Room = defineChannel('rooms/:room', {
  events: { said: type<{ text: string; at?: Date }>(), message: type<number>() },
});
const Typing = defineChannel('typing', { history: 0 });

@Injectable()
class Rooms {
  @Publish(Typing, { type: 'typing' })
  async typing(): Promise<string> {
    return 'Ada';
  }
}

@Controller()
class Nothing {
  @Post()
  nothing(): void {}
}

async function record() {
  const module = await Test.createTestingModule({
    imports: [SseModule.forRoot(), SseModule.forFeature([Room, Typing])],
    providers: [Rooms],
    controllers: [Nothing],
  }).compile();
  await module.init();
  whenTestEnds(() => module.close());
  return { hub: module.get(SseHub), published: recordPublished(module), rooms: module.get(Rooms) };
}

describe('recordPublished()', () => {
  it('has what was published, as subscribers see it, in its order and by channel', async () => {
    const { hub, published } = await record();
    const [a, b] = [Room.of({ room: 'a' }), Room.of({ room: 'b' })];
    const first = await hub.publish(a, { type: 'said', data: { text: 'one', at: new Date(0) } });
    await hub.publish(b, { data: 7, comment: 'why', retry: 5 });
    await hub.publish(Typing.of(), { type: 'typing', id: 'mine' });
    expect(published.events).toEqual([
      { channel: a, id: first, type: 'said', data: { text: 'one', at: '1970-01-01T00:00:00.000Z' } },
      { channel: b, id: expect.any(String), data: 7, comment: 'why', retry: 5 },
      { channel: 'typing', id: 'mine', type: 'typing', data: '' },
    ]);
    expect(published.in(a).events).toEqual(published.events.slice(0, 1));
    const { events } = await hub.history(b);
    expect(published.in(b).events).toEqual(events.map((event) => ({ ...event })));
    const next = await published.in(a).next();
    if (next.type === 'said') expect(next.data.text.length).toBe(3); // it is typed
  });

  it('waits for what is published later, and for the end', async () => {
    const { hub, published } = await record();
    const room = published.in(Room.of({ room: 'a' }));
    const said = room.until('said');
    hub.emit(Room.of({ room: 'a' }), { data: 1 });
    hub.emit(Room.of({ room: 'a' }), { type: 'said', data: { text: 'late' } });
    expect((await said).map(({ data }) => data)).toEqual([1, { text: 'late' }]);
    hub.emit(Room.of({ room: 'a' }), { data: 2 });
    await room.until('message');
    expect(room.isCompleted).toBe(false);
    void hub.complete(Room.of({ room: 'a' }));
    expect(await room.rest()).toEqual([]);
    expect(room.isCompleted).toBe(true);
    await expect(room.next()).rejects.toThrow(
      /^It was over before an event came\. What is published to "rooms\/a" is recorded\. 3 have come:/,
    );
    await expect(published).toReceive('said', { text: 'late' });
  });

  it('has what the hub publishes by pipe() and a decorator, what is published twice once, and nothing refused', async () => {
    const { hub, published, rooms } = await record();
    await rooms.typing();
    await expect(published).toReceive('typing', 'Ada');
    const piped = Room.of({ room: 'piped' });
    async function* source(): AsyncGenerator<{ data: number }> {
      yield { data: 1 };
    }
    await hub.pipe(piped, source());
    expect((await published.in(piped).rest()).map(({ data }) => data)).toEqual([1]);
    const twice = Room.of({ room: 'twice' });
    for (let i = 0; i < 2; i++) await hub.publish(twice, { data: 1 }, { publishId: 'once' });
    expect(published.in(twice).events).toHaveLength(1);
    await expect(hub.publish(piped, { data: 2 })).rejects.toMatchObject({ code: 'CHANNEL_COMPLETED' });
    expect(published.in(piped).events).toHaveLength(1);
  });
});
