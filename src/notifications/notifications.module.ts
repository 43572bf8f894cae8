import { Module } from '@nestjs/common';
import { SseModule } from '../sse/index.js';
import { Inbox } from './notifications.channels.js';
import { NotificationsController } from './notifications.controller.js';
import { NotificationsService } from './notifications.service.js';

@Module({
  imports: [SseModule.forFeature([Inbox])],
  controllers: [NotificationsController],
  providers: [NotificationsService],
})
export class NotificationsModule {}
