import { defineChannel, type, type PresenceEvent } from '../sse/index.js';
import type { ChatMessage } from './chat-message.js';

/** One channel per room. Whoever comes in gets what was said before, then what is being said. */
export const ChatRoom = defineChannel('chat/:room', {
  events: { message: type<ChatMessage>() },
  history: { count: 200 },
  replay: 200,
});

/** Somebody is about to say something. */
export interface Typing {
  readonly from: string;
}

/**
 * Who is in a room, and what they are doing. Nothing of it is kept: who comes, or comes back, asks who is there
 * now. It is streamed beside the room, in one response.
 */
export const ChatPeople = defineChannel('chat/:room/people', {
  events: { join: type<PresenceEvent>(), leave: type<PresenceEvent>(), typing: type<Typing>() },
  history: 0,
  presence: { events: true },
});
