import { Body, Controller, Get, HttpCode, HttpStatus, Param, Post, UseGuards } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { Sse, type PresenceMember, type SseEvent } from '../sse/index.js';
import type { ChatMessage, NewChatMessage } from './chat-message.js';
import type { Typing } from './chat.channels.js';
import { ChatService } from './chat.service.js';
import { NewMessagePipe } from './new-message.pipe.js';
import { RoomAccess } from './room-access.js';
import { RoomPipe } from './room.pipe.js';
import { TypingPipe } from './typing.pipe.js';
import { VisitorGuard } from './visitor.guard.js';

@Controller('chat/rooms/:room')
export class ChatController {
  constructor(private readonly chat: ChatService) {}

  /** `VisitorGuard` only reads the name and keeps nobody out: `RoomAccess.mayListen` authorizes the room's channels. */
  @Sse('messages')
  @UseGuards(VisitorGuard)
  messages(@Param('room', RoomPipe) room: string): Observable<SseEvent> {
    return this.chat.stream(room);
  }

  @Post('messages')
  @UseGuards(RoomAccess)
  post(
    @Param('room', RoomPipe) room: string,
    @Body(NewMessagePipe) message: NewChatMessage,
  ): Promise<ChatMessage> {
    return this.chat.post(room, message);
  }

  @Post('typing')
  @HttpCode(HttpStatus.NO_CONTENT)
  @UseGuards(RoomAccess)
  async typing(@Param('room', RoomPipe) room: string, @Body(TypingPipe) typing: Typing): Promise<void> {
    await this.chat.typing(room, typing);
  }

  @Get('people')
  @UseGuards(RoomAccess)
  people(@Param('room', RoomPipe) room: string): Promise<PresenceMember[]> {
    return this.chat.people(room);
  }
}
