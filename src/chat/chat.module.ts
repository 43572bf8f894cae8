import { Module } from '@nestjs/common';
import { SseModule } from '../sse/index.js';
import { ChatRoom } from './chat.channels.js';
import { ChatController } from './chat.controller.js';
import { ChatService } from './chat.service.js';

@Module({
  imports: [SseModule.forFeature([ChatRoom])],
  controllers: [ChatController],
  providers: [ChatService],
})
export class ChatModule {}
