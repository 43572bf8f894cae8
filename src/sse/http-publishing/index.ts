// The entry `nestjs-sse-hub/http-publishing`: other services publish by POST.
export { SsePublishModule, type SsePublishAsyncOptions } from './publish.module.js';
export type { SsePublishOptions, SsePublishRoute, SsePublishRules } from './publish.options.js';
export type { BatchOutcome, EntryOutcome } from './answers.js';
export type { PublishedAnswer } from './http-publishing.js';
