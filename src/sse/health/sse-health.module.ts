import { Module } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { SseHealthIndicator } from './sse-health.indicator.js';

/**
 * Provides {@link SseHealthIndicator}. Import it beside `TerminusModule` in the module that has the health routes; the
 * application imports `SseModule.forRoot()`.
 */
@Module({ providers: [HealthIndicatorService, SseHealthIndicator], exports: [SseHealthIndicator] })
export class SseHealthModule {}
