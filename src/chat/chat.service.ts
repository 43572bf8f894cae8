import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { SseHub, type SseEvent } from '../sse/index.js';
import type { ChatMessage, NewChatMessage } from './chat-message.js';
import { ChatRoom } from './chat.channels.js';

@Injectable()
export class ChatService {
  constructor(private readonly hub: SseHub) {}

  messages(room: string): Observable<SseEvent> {
    return this.hub.stream(ChatRoom.of({ room }));
  }

  async post(room: string, { from, text }: NewChatMessage): Promise<ChatMessage> {
    const message: ChatMessage = { id: randomUUID(), room, from, text, sentAt: new Date().toISOString() };
    await this.hub.publish(ChatRoom.of({ room }), { type: 'message', data: message });
    return message;
  }
}
