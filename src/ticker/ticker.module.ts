import { Module } from '@nestjs/common';
import { SseModule } from '../sse/index.js';
import { ClockService } from './clock.service.js';
import { CounterService } from './counter.service.js';
import { QuotesService } from './quotes.service.js';
import { Counter, Quotes } from './ticker.channels.js';
import { TickerController } from './ticker.controller.js';

@Module({
  imports: [SseModule.forFeature([Counter, Quotes])],
  controllers: [TickerController],
  providers: [ClockService, CounterService, QuotesService],
})
export class TickerModule {}
