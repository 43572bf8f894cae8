import { defineChannel, type } from '../sse/index.js';
import type { ChatMessage } from './chat-message.js';

/** One channel per room. Whoever comes in gets what was said before, then what is being said. */
export const ChatRoom = defineChannel('chat/:room', {
  events: { message: type<ChatMessage>() },
  history: { count: 200 },
  replay: 'all',
});
