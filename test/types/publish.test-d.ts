// Compile-time promises: checked by `npm run types`, never run.
import { of } from 'rxjs';
import { defineChannel, type } from '../../src/sse/index.js';
import type { Publication, PublishOutcome, SseError, SseEventInput, SseHub } from '../../src/sse/index.js';
import { isOf } from './expect-type.js';

interface Message {
  readonly from: string;
  readonly text?: string;
}

const Room = defineChannel('chat/:room', {
  events: {
    message: type<Message>(),
    typing: type<string>(),
    away: type<undefined>(),
    seats: type<number | null>(),
  },
});
const Jobs = defineChannel('jobs', { events: { done: type<{ readonly id: number }>() } });
const Open = defineChannel('open/:id', { replay: 'all' });
const room = Room.of({ room: 'lobby' });

export async function whatTheChannelHasMayBePublished(hub: SseHub): Promise<void> {
  const id: string = await hub.publish(room, { type: 'message', data: { from: 'a', text: 'b' } });
  await hub.publish(room, { type: 'typing', data: id });
  await hub.publish(room, { type: 'seats', data: null });
  await hub.publish(Jobs.of(), { type: 'done', data: { id: 1 }, retry: 5, comment: 'c', id: '7' });
}

export async function aMessageNeedsNoType(hub: SseHub): Promise<void> {
  await hub.publish(room, { data: { from: 'a' } });
  // @ts-expect-error: without a type it is a message, and this is no data of one
  await hub.publish(room, { data: 'text' });
  // @ts-expect-error: this channel has no messages
  await hub.publish(Jobs.of(), { data: { id: 1 } });
}

export async function dataThatMayBeUndefinedMayBeLeftOut(hub: SseHub): Promise<void> {
  await hub.publish(room, { type: 'away' });
  // @ts-expect-error: this event has data
  await hub.publish(room, { type: 'typing' });
}

export async function whatTheChannelHasNotIsAnError(hub: SseHub): Promise<void> {
  // @ts-expect-error: there is no such event
  await hub.publish(room, { type: 'left', data: { from: 'a' } });
  // @ts-expect-error: it is an event of another channel
  await hub.publish(room, { type: 'done', data: { id: 1 } });
  // @ts-expect-error: it has the data of another event
  await hub.publish(room, { type: 'typing', data: { from: 'a' } });
  // @ts-expect-error: a field of the data is of another type
  await hub.publish(room, { type: 'message', data: { from: 7 } });
  // @ts-expect-error: a field of the data is missing
  await hub.publish(room, { type: 'message', data: { text: 'b' } });
  // @ts-expect-error: the data has no such field
  await hub.publish(room, { type: 'message', data: { from: 'a', to: 'b' } });
  // @ts-expect-error: an event has no such field
  await hub.publish(room, { type: 'typing', data: 'a', name: 'b' });
  // @ts-expect-error: a retry is a number
  await hub.publish(room, { type: 'typing', data: 'a', retry: '5' });
}

export async function plainNamesTakeAnything(hub: SseHub, name: string): Promise<void> {
  await hub.publish('news', { data: 'text' });
  await hub.publish(name, { type: 'anything', data: { at: [new Date(), 1] }, id: '7' });
  await hub.publish(`orders/${name}`, { type: 'ping' });
  await hub.publish(Open.of({ id: 1 }), { type: 'anything', data: 1 });
  const event: SseEventInput = { comment: 'c' };
  await hub.publish(name, event);
  // @ts-expect-error: but an event has no such field
  await hub.publish(name, { event: 'message' });
  // @ts-expect-error: and a type is a string
  await hub.publish(name, { type: 7 });
  // @ts-expect-error: and a name too
  await hub.publish(7, { data: 1 });
}

export async function aSourceHasEventsOfTheChannel(hub: SseHub): Promise<void> {
  async function* typings() {
    yield { type: 'typing', data: 'a' } as const;
  }
  async function* numbers() {
    yield { data: 7 };
  }
  const count: number = await hub.pipe(room, typings(), { complete: false });
  await hub.pipe('news', numbers(), { abandonAfter: count, signal: AbortSignal.timeout(5) });
  await hub.pipe(room, of({ type: 'seats', data: 1 } as const));
  await hub.pipe(room, typings(), { error: () => ({ type: 'seats', data: 0 }) });
  await hub.pipe(room, typings(), { error: ({ message }) => ({ type: 'error', data: { message } }) });
  await hub.pipe(room, typings(), {
    error: ({ reason }) => (reason === 'stopped' ? undefined : { type: 'error' }),
  });
  // @ts-expect-error -- an event that the channel does not have
  await hub.pipe(room, typings(), { error: () => ({ type: 'seats', data: 'none' }) });
  // @ts-expect-error: it gives no events of this channel
  await hub.pipe(room, numbers());
  // @ts-expect-error: there is no such option
  await hub.pipe(room, typings(), { limit: 1 });
}

export async function theOtherCallsTakeBothKindsOfNames(hub: SseHub): Promise<void> {
  for (const name of [room, Jobs.of(), 'news']) {
    await hub.complete(name);
    await hub.purge(name);
    const count: number = await hub.subscriberCount(name);
    await hub.disconnect({ channel: name, id: String(count) });
    await hub.connections({ channel: name });
  }
}

const Desk = defineChannel('desk/:id', {
  events: { message: type<{ readonly from: 'a' | 'b' }>(), closed: type<undefined>() },
});
const desk = Desk.of({ id: 1 });

export async function severalChannelsTakeWhatEachOfThemTakes(hub: SseHub): Promise<void> {
  const ids: string[] = await hub.publish([room, desk], { data: { from: 'a' } });
  hub.emit([room, room], { type: 'typing', data: ids.join() });
  await hub.publish(['plain', room], { type: 'typing', data: 'a' });
  await hub.publish(['plain', 'other'], { type: 'anything', data: new Date() });
  // @ts-expect-error: one of the channels has no such event
  await hub.publish([room, desk], { type: 'typing', data: 'a' });
  // @ts-expect-error: one of the channels has other data
  await hub.publish([room, desk], { data: { from: 'c' } });
  // @ts-expect-error: one of the channels has other data
  hub.emit([room, desk], { data: { from: 'c' } });
}

export async function eachOfManyIsCheckedByItsChannel(hub: SseHub): Promise<void> {
  const outcomes: PublishOutcome[] = await hub.publishMany([
    { channel: room, event: { type: 'typing', data: 'a' } },
    { channel: desk, event: { type: 'closed' }, publishId: 'x' },
    { channel: 'plain', event: { type: 'anything', data: 1 } },
  ]);
  for (const outcome of outcomes) {
    if (outcome.status === 'published') isOf<string>()(outcome.id, true);
    else isOf<SseError>()(outcome.error, true);
  }
  const made = [1, 2].map((id): Publication<typeof desk> => ({
    channel: Desk.of({ id }),
    event: { type: 'closed' },
  }));
  await hub.publishMany(made);
  await hub.publishMany([
    { channel: room, event: { type: 'seats', data: null } },
    // @ts-expect-error: it is an event of the other channel
    { channel: desk, event: { type: 'typing', data: 'a' } },
  ]);
}
