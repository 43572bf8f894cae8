import { Module } from '@nestjs/common';
import { BroadcastModule } from './broadcast/broadcast.module.js';
import { ChatModule } from './chat/chat.module.js';
import { HealthController } from './health.controller.js';
import { SseModule } from './sse/index.js';
import { TickerModule } from './ticker/ticker.module.js';

@Module({
  imports: [
    // Anybody who can open the demo can publish, so an event is smaller here than it may be by default.
    SseModule.forRoot({ maxEventBytes: 64 * 1024 }),
    BroadcastModule,
    ChatModule,
    TickerModule,
  ],
  controllers: [HealthController],
})
export class AppModule {}
