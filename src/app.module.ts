import { Module } from '@nestjs/common';
import { backplaneOf } from './app/app.backplane.js';
import { readConfig } from './app/app.config.js';
import { BroadcastModule } from './broadcast/broadcast.module.js';
import { ChatModule } from './chat/chat.module.js';
import type { VisitorRequest } from './chat/visitor.guard.js';
import { HealthController } from './app/health.controller.js';
import { SseModule } from './sse/index.js';
import { TickerModule } from './ticker/ticker.module.js';

@Module({
  imports: [
    SseModule.forRootAsync({
      useFactory: () => ({
        // Anybody who can open the demo can publish, so an event is smaller here than it may be by default.
        maxEventBytes: 64 * 1024,
        identify: ({ visitor }: VisitorRequest) => visitor,
        // The key of a room is good for some hours, and so is what it has opened.
        reauthorize: 60_000,
        ...backplaneOf(readConfig(process.env).backplane),
      }),
    }),
    BroadcastModule,
    ChatModule.registerAsync({
      useFactory: () => ({ password: readConfig(process.env).chatPassword }),
    }),
    TickerModule,
  ],
  controllers: [HealthController],
})
export class AppModule {}
