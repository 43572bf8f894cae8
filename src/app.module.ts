import { Module } from '@nestjs/common';
import { backplaneOf } from './app.backplane.js';
import { readConfig } from './app.config.js';
import { BroadcastModule } from './broadcast/broadcast.module.js';
import { ChatModule } from './chat/chat.module.js';
import { HealthController } from './health.controller.js';
import { SseModule } from './sse/index.js';
import { TickerModule } from './ticker/ticker.module.js';

@Module({
  imports: [
    SseModule.forRootAsync({
      useFactory: () => ({
        // Anybody who can open the demo can publish, so an event is smaller here than it may be by default.
        maxEventBytes: 64 * 1024,
        ...backplaneOf(readConfig(process.env).backplane),
      }),
    }),
    BroadcastModule,
    ChatModule,
    TickerModule,
  ],
  controllers: [HealthController],
})
export class AppModule {}
