// Compile-time promises: checked by `npm run types`, never run.
import { ChannelDefinition, defineChannel, SseModule, type } from '../../src/sse/index.js';
import type { AnyEvents, ChannelName, ChannelParams, EventsOf } from '../../src/sse/index.js';
import { isOf, same } from './expect-type.js';

interface Message {
  readonly from: string;
}

const Room = defineChannel('chat/:room', { events: { message: type<Message>() } });
const Seat = defineChannel('halls/:hall/rows/:row_2');
const News = defineChannel('news/all');

export function parametersAreThoseOfThePattern(): void {
  same<ChannelParams<'chat/:room'>, [params: { readonly room: string | number }]>(true);
  same<ChannelParams<':a/b/:c'>, [params: { readonly a: string | number; readonly c: string | number }]>(
    true,
  );
  same<ChannelParams<'news/all'>, []>(true);
  Room.of({ room: 'lobby' });
  Room.of({ room: 7 });
  Seat.of({ row_2: 1, hall: 'a' });
  News.of();
}

export function parametersThatAreWrongAreErrors(): void {
  // @ts-expect-error: it is missing
  Room.of({});
  // @ts-expect-error: all of them are missing
  Room.of();
  // @ts-expect-error: one of two is missing
  Seat.of({ hall: 'a' });
  // @ts-expect-error: it is misnamed
  Room.of({ Room: 'lobby' });
  // @ts-expect-error: there is no such parameter
  Room.of({ room: 'lobby', seat: 1 });
  // @ts-expect-error: it is undefined
  Room.of({ room: undefined });
  // @ts-expect-error: it is neither a string nor a number
  Room.of({ room: true });
  // @ts-expect-error: the pattern has none
  News.of({ room: 'lobby' });
}

export function aNameCarriesTheTypesOfItsEvents(): void {
  same<EventsOf<ReturnType<typeof Room.of>>, { readonly message: Message }>(true);
  same<EventsOf<ReturnType<typeof News.of>>, AnyEvents>(true);
  same<EventsOf<string>, AnyEvents>(true);
  same<EventsOf<'news'>, AnyEvents>(true);
}

export function aNameIsAString(take: (name: string) => void): void {
  take(Room.of({ room: 'lobby' }));
  const text: string = News.of();
  const named: ChannelName = Room.of({ room: text });
  take(named.toUpperCase());
}

export function optionsAreChecked(message: Message): void {
  defineChannel('a', { history: 0, ttl: 1, replay: 'all', slow: 'gap' });
  defineChannel('a', { history: { count: 1 }, replay: 10 });
  // @ts-expect-error: there is no such option
  defineChannel('a', { histroy: 0 });
  // @ts-expect-error: a history is an object, or 0
  defineChannel('a', { history: 5 });
  // @ts-expect-error: there is no such policy
  defineChannel('a', { slow: 'latest' });
  // @ts-expect-error: an option that is not meant is left out
  defineChannel('a', { ttl: undefined });
  // @ts-expect-error: types of events are made by type<…>()
  defineChannel('a', { events: { message } });
  // @ts-expect-error: this is the module's
  defineChannel('a', { heartbeat: 1 });
}

export function definitionsOfAllKindsGoIntoOneList(): void {
  SseModule.forFeature([Room, Seat, News]);
  const kept: readonly ChannelDefinition[] = [Seat, News].map(
    ({ pattern, options }) => new ChannelDefinition(pattern, options),
  );
  SseModule.forFeature(kept);
  isOf<'chat/:room'>()(Room.pattern, true);
}
