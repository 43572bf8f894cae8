export { LastEventId } from './decorators/last-event-id.decorator.js';
export { Sse, type SseRouteOptions } from './decorators/sse.decorator.js';
export { ChannelDefinition, defineChannel, type } from './hub/channel-definition.js';
export type {
  ChannelDefinitionOptions,
  ChannelParams,
  ChannelRule,
  EventType,
} from './hub/channel-definition.js';
export type { ConnectionFilter, ConnectionInfo } from './hub/connections.js';
export type {
  AnyEvents,
  ChannelName,
  EventMap,
  EventsOf,
  Gap,
  GapReason,
  PublishedEvent,
  SseEvent,
  SseEventInput,
} from './hub/sse-event.js';
export { SseHub } from './hub/sse-hub.js';
export type { ChannelHistory, HistoryQuery, HubStats, StreamOptions } from './hub/sse-hub.js';
export { SseError, type SseErrorCode } from './sse.errors.js';
export { SseModule } from './sse.module.js';
export type {
  ChannelOptions,
  HistoryOptions,
  KeyedEvent,
  LatestPolicy,
  Replay,
  ShutdownOptions,
  SlowPolicy,
  SseLimits,
  SseModuleOptions,
  SseOptionsFactory,
} from './sse.options.js';
