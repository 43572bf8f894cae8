import { Module } from '@nestjs/common';
import { SseModule } from '../sse/index.js';
import { Answer } from './assistant.channels.js';
import { AssistantController } from './assistant.controller.js';
import { AssistantService } from './assistant.service.js';

@Module({
  imports: [SseModule.forFeature([Answer])],
  controllers: [AssistantController],
  providers: [AssistantService],
})
export class AssistantModule {}
