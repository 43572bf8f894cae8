import { Module } from '@nestjs/common';
import { Registry } from 'prom-client';
import { SseMetricsModule } from '../sse/metrics/index.js';
import { MetricsController } from './metrics.controller.js';

/** A register for each application: the tests run several in one process. */
@Module({ providers: [{ provide: Registry, useFactory: () => new Registry() }], exports: [Registry] })
class RegisterModule {}

/** Metrics of the hub at `/metrics`. */
@Module({
  imports: [
    RegisterModule,
    SseMetricsModule.forRootAsync({
      imports: [RegisterModule],
      inject: [Registry],
      useFactory: (register: Registry) => ({ register }),
    }),
  ],
  controllers: [MetricsController],
})
export class MetricsModule {}
