import { Body, Controller, Param, Post } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { Sse, type SseEvent } from '../sse/index.js';
import type { ChatMessage, NewChatMessage } from './chat-message.js';
import { ChatService } from './chat.service.js';
import { NewMessagePipe } from './new-message.pipe.js';
import { RoomPipe } from './room.pipe.js';

@Controller('chat/rooms/:room/messages')
export class ChatController {
  constructor(private readonly chat: ChatService) {}

  @Sse()
  messages(@Param('room', RoomPipe) room: string): Observable<SseEvent> {
    return this.chat.messages(room);
  }

  @Post()
  post(
    @Param('room', RoomPipe) room: string,
    @Body(NewMessagePipe) message: NewChatMessage,
  ): Promise<ChatMessage> {
    return this.chat.post(room, message);
  }
}
