import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { SseHealthModule } from '../sse/health/index.js';
import { HealthController } from './health.controller.js';

@Module({
  // Terminus would log an error for each probe that is answered with 503, as while the demo closes.
  imports: [TerminusModule.forRoot({ logger: false }), SseHealthModule],
  controllers: [HealthController],
})
export class HealthModule {}
