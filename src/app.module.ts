import { Module } from '@nestjs/common';
import { backplaneOf } from './app/app.backplane.js';
import { readConfig } from './app/app.config.js';
import { publishingTo } from './app/app.publishing.js';
import { AssistantModule } from './assistant/assistant.module.js';
import { BroadcastModule } from './broadcast/broadcast.module.js';
import { ChatModule } from './chat/chat.module.js';
import type { VisitorRequest } from './chat/visitor.guard.js';
import { HealthModule } from './app/health.module.js';
import { InspectorModule } from './app/inspector.module.js';
import { MetricsModule } from './app/metrics.module.js';
import { JobsModule } from './jobs/jobs.module.js';
import { Inbox } from './notifications/notifications.channels.js';
import { NotificationsModule } from './notifications/notifications.module.js';
import { SseModule } from './sse/index.js';
import { TickerModule } from './ticker/ticker.module.js';

@Module({
  imports: [
    SseModule.forRootAsync({
      useFactory: () => ({
        // Everybody can publish in the demo, so events are limited to less than the default.
        maxEventBytes: 64 * 1024,
        identify: ({ visitor }: VisitorRequest) => visitor,
        // A key of a room expires after some hours, and the streams that it opened end with it.
        reauthorize: 60_000,
        ...backplaneOf(readConfig(process.env).backplane),
      }),
    }),
    AssistantModule,
    BroadcastModule,
    ChatModule.registerAsync({
      useFactory: () => ({ password: readConfig(process.env).chatPassword }),
    }),
    HealthModule,
    InspectorModule,
    JobsModule,
    MetricsModule,
    NotificationsModule,
    publishingTo([Inbox]),
    TickerModule,
  ],
})
export class AppModule {}
