import './runner-types.js';

export type { EventLike, EventReader } from './event-reader.js';
export type { Engine } from './last-event-ids.js';
export { streamMatchers, type MatcherContext, type MatcherResult, type StreamMatchers } from './matchers.js';
export { openStream } from './open-stream.js';
export { recordPublished, type Published, type PublishedIn } from './published.js';
export { StreamRefused } from './stream-refused.js';
export { TestStream, type OpenStreamOptions, type TestEvent, type TestStreamState } from './test-stream.js';
