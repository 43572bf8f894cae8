import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { SseHub, type PresenceMember, type SseEvent } from '../sse/index.js';
import type { ChatMessage, NewChatMessage } from './chat-message.js';
import { ChatPeople, ChatRoom, type Typing } from './chat.channels.js';

@Injectable()
export class ChatService {
  constructor(private readonly hub: SseHub) {}

  /** One stream of a room: its messages, and who comes, goes and types. */
  stream(room: string): Observable<SseEvent> {
    return this.hub.stream([ChatRoom.of({ room }), ChatPeople.of({ room })]);
  }

  people(room: string): Promise<PresenceMember[]> {
    return this.hub.presence(ChatPeople.of({ room }));
  }

  async post(room: string, { from, text }: NewChatMessage): Promise<ChatMessage> {
    const message: ChatMessage = { id: randomUUID(), room, from, text, sentAt: new Date().toISOString() };
    await this.hub.publish(ChatRoom.of({ room }), { type: 'message', data: message });
    return message;
  }

  async typing(room: string, typing: Typing): Promise<void> {
    await this.hub.publish(ChatPeople.of({ room }), { type: 'typing', data: typing });
  }
}
