import { Module } from '@nestjs/common';
import { SseModule } from '../sse/index.js';
import { Broadcast } from './broadcast.channels.js';
import { BroadcastController } from './broadcast.controller.js';
import { BroadcastService } from './broadcast.service.js';

@Module({
  imports: [SseModule.forFeature([Broadcast])],
  controllers: [BroadcastController],
  providers: [BroadcastService],
})
export class BroadcastModule {}
