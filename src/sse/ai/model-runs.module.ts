import { Module } from '@nestjs/common';
import { SseModule } from '../sse.module.js';
import { ModelRuns, runChannels } from './model-runs.js';

/** Provides {@link ModelRuns}, and defines their channels. The application imports `SseModule.forRoot()`. */
@Module({
  imports: [SseModule.forFeature(runChannels)],
  providers: [ModelRuns],
  exports: [ModelRuns],
})
export class ModelRunsModule {}
