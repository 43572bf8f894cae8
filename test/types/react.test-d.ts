// Compile-time promises: checked by `npm run types`, never run.
import { createElement, type ReactElement } from 'react';
import { defineChannel, type } from '../../src/sse/channels/index.js';
import {
  connect,
  connectChannels,
  type ChannelMember,
  type ConnectionState,
} from '../../src/sse/client/index.js';
import {
  SseProvider,
  useChannel,
  useConnectionState,
  usePresence,
  useSse,
} from '../../src/sse/react/index.js';
import { isOf } from './expect-type.js';

interface Message {
  readonly text: string;
  readonly at: Date;
}

const Room = defineChannel('rooms/:room', { events: { message: type<Message>(), closed: type<null>() } });
const Clock = defineChannel('clock', { events: { tick: type<number>() } });
const messages: readonly { readonly text: string; readonly at: string }[] = [];

export function UsesADefinition(): ReactElement {
  const { value, state } = useChannel(
    Room,
    { room: 7 },
    {
      initial: messages,
      reduce: (before, event) => (event.type === 'message' ? [...before, event.data] : before),
      // As JSON has it.
      on: { message: ({ at }) => isOf<string>()(at, true) },
    },
  );
  isOf<typeof messages>()(value, true);
  if (state.kind === 'denied') isOf<'forbidden' | 'revoked'>()(state.reason, true);
  isOf<readonly ChannelMember[]>()(usePresence(Room, { room: 'a' }), true);
  isOf<ConnectionState>()(useConnectionState(), true);
  // @ts-expect-error -- the pattern has another parameter
  useChannel(Room, { id: 'a' }, { on: {} });
  // @ts-expect-error -- no such event
  useChannel(Room, { room: 'a' }, { on: { open: () => undefined } });
  // @ts-expect-error -- nothing makes a value of it
  useChannel(Room, { room: 'a' }, { initial: messages });
  // @ts-expect-error -- the pattern has a parameter
  usePresence(Room);
  return createElement('p');
}

export function UsesAName(): ReactElement {
  const { value } = useChannel(Clock.of(), {
    initial: 0,
    reduce: (_before, event) => event.data,
  });
  isOf<number>()(value, true);
  isOf<number>()(useChannel(Clock, undefined, { initial: 0, reduce: (n) => n + 1 }).value, true);
  useChannel('anything', { on: { message: (data) => data.is.anything() } });
  usePresence('anything');
  return createElement('p');
}

export function UsesAStream(): ReactElement {
  const state = useSse<{ price: { readonly cents: number } }>('/quotes', {
    price: ({ cents }) => isOf<number>()(cents, true),
    // @ts-expect-error -- no such event
    trade: () => undefined,
  });
  isOf<ConnectionState>()(state, true);
  useSse(connect<{ price: number }>('/quotes'), { price: (cents) => isOf<number>()(cents, true) });
  useSse('/quotes', { anything: (data) => data.is.anything() }, { headers: { a: 'b' } });
  return createElement('p');
}

export function aProviderTakesAnAddressOrAClient(): void {
  createElement(SseProvider, { url: '/events', options: { credentials: 'include' } }, 'a');
  createElement(SseProvider, { client: connectChannels('/events') }, 'a');
  // @ts-expect-error -- one of them
  createElement(SseProvider, { client: connectChannels('/events'), url: '/events' }, 'a');
}
