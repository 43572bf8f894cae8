import * as z from 'zod';
import { defineChannel, type, type PresenceEvent } from '../sse/index.js';
import { ChatMessage } from './chat-message.js';

/** One channel per room. A late comer gets the history first, then live messages. */
export const ChatRoom = defineChannel('chat/:room', {
  events: { message: ChatMessage },
  history: { count: 200 },
  replay: 200,
});

/** Somebody is typing. */
export const Typing = z.object({ from: z.string() });

export type Typing = z.output<typeof Typing>;

/**
 * Presence and typing in a room. It keeps no history: a page asks for the present members when it connects or
 * reconnects. One response streams it together with the room.
 */
export const ChatPeople = defineChannel('chat/:room/people', {
  events: { join: type<PresenceEvent>(), leave: type<PresenceEvent>(), typing: Typing },
  history: 0,
  presence: { events: true },
});
