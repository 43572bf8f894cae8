import type { DynamicModule } from '@nestjs/common';
import { SsePublishModule, type SsePublishOptions } from '../sse/http-publishing/index.js';
import { PublishKeyGuard } from './publish-key.guard.js';

/** `POST /publish`, by which other services publish to these channels. */
export const publishingTo = (channels: NonNullable<SsePublishOptions['channels']>): DynamicModule =>
  SsePublishModule.forRoot({ path: 'publish', guards: [PublishKeyGuard], channels });
