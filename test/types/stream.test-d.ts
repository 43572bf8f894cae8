// Compile-time promises: checked by `npm run types`, never run.
import { type MessageEvent, Sse as NestSse } from '@nestjs/common';
import { filter, map, merge, type Observable, type ObservedValueOf } from 'rxjs';
import { defineChannel, Sse, type } from '../../src/sse/index.js';
import type { EventsOf, Gap, SseEvent, SseHub } from '../../src/sse/index.js';
import { isOf, same } from './expect-type.js';

interface Message {
  readonly from: string;
}

const Room = defineChannel('chat/:room', {
  events: { message: type<Message>(), left: type<{ readonly who: string }>() },
});
const Prices = defineChannel('prices', { events: { price: type<number>() } });
const Open = defineChannel('open/:id');
const room = Room.of({ room: 'lobby' });

type RoomEvent = SseEvent<EventsOf<typeof room>>;
type TypesOf<Stream extends Observable<SseEvent>> = ObservedValueOf<Stream>['type'];

export function aStreamIsOfTheEventsOfItsChannelAndOfGaps(hub: SseHub): void {
  const stream = hub.stream(room);
  same<TypesOf<typeof stream>, 'message' | 'left' | 'gap' | undefined>(true);
  stream.subscribe((event) => {
    isOf<string>()(event.channel, true);
    if (event.type === 'left') isOf<{ readonly who: string }>()(event.data, true);
    else if (event.type === 'gap') isOf<Gap>()(event.data, true);
    else isOf<Message>()(event.data, true);
  });
}

export function whatAnEventIsNotIsAnError(hub: SseHub): void {
  hub.stream(room).subscribe((event) => {
    // @ts-expect-error: it may be a gap
    const message: Message = event.data;
    // @ts-expect-error: there is no such event
    if (event.type === 'price') return message;
    // @ts-expect-error: an event is not changed
    event.data = { from: 'a' };
    return event;
  });
}

export function severalChannelsOfOneDefinitionHaveItsEvents(hub: SseHub, rooms: readonly string[]): void {
  isOf<Observable<RoomEvent>>()(hub.stream(room), true);
  isOf<Observable<RoomEvent>>()(hub.stream([room, Room.of({ room: 2 })]), true);
  const names = rooms.map((name) => Room.of({ room: name }));
  isOf<Observable<RoomEvent>>()(hub.stream(names), true);
}

export function channelsOfSeveralDefinitionsHaveTheEventsOfAll(hub: SseHub): void {
  const stream = hub.stream([room, Prices.of()]);
  same<TypesOf<typeof stream>, 'message' | 'left' | 'price' | 'gap' | undefined>(true);
  stream.subscribe((event) => {
    if (event.type === 'price') isOf<number>()(event.data, true);
    else if (event.type === 'left') isOf<{ readonly who: string }>()(event.data, true);
  });
}

export function plainNamesHaveEventsOfAnyKind(hub: SseHub, names: string[]): void {
  const stream: Observable<SseEvent> = hub.stream('news');
  for (const each of [stream, hub.stream(names), hub.stream(['a', 'b']), hub.stream(Open.of({ id: 1 }))]) {
    isOf<Observable<SseEvent>>()(each, true);
    each.pipe(map(({ data }) => data.whatever.it.is as string));
  }
  hub.stream([room, 'news']).subscribe(({ type }) => isOf<string | undefined>()(type, true));
}

export function optionsAreChecked(hub: SseHub): void {
  hub.stream(room, { lastEventId: '1.abcde', replay: 5 });
  // @ts-expect-error: there is no such option
  hub.stream(room, { after: '1.abcde' });
  // @ts-expect-error: there is no such replay
  hub.stream(room, { replay: 'some' });
  hub.stream(room, { types: ['left'], ifAbsent: 'end', onCaughtUp: (position: string) => position });
  // @ts-expect-error: an absent channel is waited for, or the end
  hub.stream(room, { ifAbsent: 'never' });
  // @ts-expect-error: the types are a list
  hub.stream(room, { types: 'left' });
}

export function aFilterSeesTheEventsOfItsChannels(hub: SseHub): void {
  hub.stream(room, {
    filter: (event) => {
      isOf<RoomEvent>()(event, true);
      return event.type === 'left';
    },
  });
  // @ts-expect-error: it answers yes or no
  hub.stream(room, { filter: () => 'yes' });
}

export async function aHistoryIsOfTheEventsOfItsChannel(hub: SseHub): Promise<void> {
  const { events, position, gap } = await hub.history(room, { after: '1.abcde', limit: 5 });
  // A gap is told beside them.
  isOf<readonly Exclude<RoomEvent, { readonly type: 'gap' }>[]>()(events, true);
  isOf<string>()(position, true);
  isOf<'evicted' | 'lagged' | 'unknown' | 'unreadable' | undefined>()(gap, true);
  // @ts-expect-error: there is no such option
  await hub.history(room, { before: position });
  await hub.history([room, 'news'], { upTo: position });
  const { events: any } = await hub.history('news');
  isOf<readonly SseEvent[]>()(any, true);
}

export class Controller {
  constructor(private readonly hub: SseHub) {}

  /** Nest's own type fits where the data are objects. */
  @NestSse('stock')
  stock(): Observable<MessageEvent> {
    return this.hub.stream(room);
  }

  @Sse('any')
  any(): Observable<MessageEvent> {
    return merge(this.hub.stream('news'), this.hub.stream(room).pipe(filter(({ type }) => type === 'left')));
  }

  @Sse('typed')
  typed(): Observable<SseEvent<{ price: number }>> {
    return this.hub.stream(Prices.of());
  }

  @Sse('later')
  async later(): Promise<Observable<unknown>> {
    return this.hub.stream(room);
  }

  /** Data that are no objects have no place in Nest's type. */
  prices(): Observable<MessageEvent> {
    // @ts-expect-error: a number is no data of a MessageEvent
    return this.hub.stream(Prices.of());
  }
}
