import { Module } from '@nestjs/common';
import { SseModule } from '../sse/index.js';
import { ImportWorker } from './import-worker.js';
import { ImportJob, ImportOrders } from './jobs.channels.js';
import { JobsController } from './jobs.controller.js';
import { JobsService } from './jobs.service.js';

@Module({
  imports: [SseModule.forFeature([ImportJob, ImportOrders])],
  controllers: [JobsController],
  providers: [JobsService, ImportWorker],
})
export class JobsModule {}
