import { Body, Controller, Get, HttpCode, HttpStatus, Param, Post, UseGuards } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiQuery } from '@nestjs/swagger';
import type { Observable } from 'rxjs';
import { Sse, type PresenceMember, type SseEvent } from '../sse/index.js';
import { ApiSse } from '../sse/swagger/index.js';
import type { ChatMessage, NewChatMessage } from './chat-message.js';
import { ChatPeople, ChatRoom, type Typing } from './chat.channels.js';
import { ChatService } from './chat.service.js';
import { NewMessagePipe } from './new-message.pipe.js';
import { RoomAccess } from './room-access.js';
import { RoomPipe } from './room.pipe.js';
import { textFields } from './text-field.js';
import { TypingPipe } from './typing.pipe.js';
import { VisitorGuard } from './visitor.guard.js';

@Controller('chat/rooms/:room')
export class ChatController {
  constructor(private readonly chat: ChatService) {}

  /** `VisitorGuard` only reads the name and keeps nobody out: `RoomAccess.mayListen` authorizes the room's channels. */
  @Sse('messages')
  @ApiSse(ChatRoom, ChatPeople)
  @ApiOperation({ summary: 'A room: its messages, and who comes, goes and types' })
  @ApiQuery({ name: 'name', required: false, schema: { type: 'string' }, description: 'Who listens.' })
  @UseGuards(VisitorGuard)
  messages(@Param('room', RoomPipe) room: string): Observable<SseEvent> {
    return this.chat.stream(room);
  }

  @Post('messages')
  @ApiOperation({ summary: 'Say something in a room' })
  @ApiBody({ schema: textFields('from', 'text') })
  @UseGuards(RoomAccess)
  post(
    @Param('room', RoomPipe) room: string,
    @Body(NewMessagePipe) message: NewChatMessage,
  ): Promise<ChatMessage> {
    return this.chat.post(room, message);
  }

  @Post('typing')
  @ApiOperation({ summary: 'Tell a room that somebody is typing' })
  @ApiBody({ schema: textFields('from') })
  @HttpCode(HttpStatus.NO_CONTENT)
  @UseGuards(RoomAccess)
  async typing(@Param('room', RoomPipe) room: string, @Body(TypingPipe) typing: Typing): Promise<void> {
    await this.chat.typing(room, typing);
  }

  @Get('people')
  @ApiOperation({ summary: 'Who is in a room' })
  @UseGuards(RoomAccess)
  people(@Param('room', RoomPipe) room: string): Promise<PresenceMember[]> {
    return this.chat.people(room);
  }
}
