import { createElement, StrictMode, type ReactElement } from 'react';
import { defineChannel, type } from '../../../src/sse/channels/index.js';
import { SseProvider, useChannel } from '../../../src/sse/react/index.js';

export const Room = defineChannel('rooms/:room', { events: { message: type<number>() } });

export interface RoomProps {
  readonly id: string;
  readonly room: string;
  readonly initial?: readonly number[];
  readonly lastEventId?: string;
  /** For what `hear` is told. */
  readonly label?: string;
  readonly hear?: (said: number) => unknown;
  readonly rendered?: () => unknown;
}

/** The messages of a room, in a component with functions and objects that are new in each render. */
export function RoomView({ id, room, initial = [], lastEventId, hear, rendered }: RoomProps): ReactElement {
  const { value, state } = useChannel(
    Room,
    { room },
    {
      initial,
      ...(lastEventId !== undefined && { lastEventId }),
      reduce: (messages, { type, data }) => (type === 'message' ? [...messages, data] : messages),
      on: { message: (said) => hear?.(said) },
    },
  );
  rendered?.();
  return createElement('p', { id, title: state.kind }, value.join(' '));
}

/** What the server renders, and the page hydrates. */
export const page = (url: string, props: RoomProps): ReactElement =>
  createElement(StrictMode, null, createElement(SseProvider, { url }, createElement(RoomView, props)));
