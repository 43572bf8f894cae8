// The entry `nestjs-sse-hub/channels`: what a server and a page share, so nothing of Nest, rxjs or Node comes with it.
export {
  ChannelDefinition,
  defineChannel,
  type ChannelDefinitionOptions,
  type ChannelRule,
} from './channel-definition.js';
export type { ChannelParams, MatchedParams } from './channel-pattern.js';
export { type, type EventSchemas, type EventType } from './event-schemas.js';
export type { JsonOf } from '../log/json-of.js';
export type {
  AnyEvents,
  ChannelName,
  EventForAll,
  EventMap,
  EventsOf,
  InputsOf,
  PublishedEvent,
  SseEvent,
  SseEventInput,
} from '../log/sse-event.js';
export type { PresenceEvent, PresenceMember } from '../presence-member.js';
export { SseError, type SseErrorCode } from '../sse.errors.js';
export type {
  ChannelOptions,
  HistoryOptions,
  KeyedEvent,
  LatestPolicy,
  PresenceOptions,
  Replay,
  SlowPolicy,
} from '../sse.options.js';
