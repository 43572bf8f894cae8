import { Module } from '@nestjs/common';
import { SseModule } from '../sse/index.js';
import { ChatPeople, ChatRoom } from './chat.channels.js';
import { ChatController } from './chat.controller.js';
import { ConfigurableChatModule } from './chat.module-definition.js';
import { ChatService } from './chat.service.js';
import { RoomAccess } from './room-access.js';
import { RoomKeyController } from './room-key.controller.js';
import { RoomKeys } from './room-keys.js';

@Module({
  imports: [SseModule.forFeature([ChatRoom, ChatPeople])],
  controllers: [ChatController, RoomKeyController],
  providers: [ChatService, RoomAccess, RoomKeys],
})
export class ChatModule extends ConfigurableChatModule {}
