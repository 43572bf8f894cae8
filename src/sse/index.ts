export { AuthorizeChannel } from './decorators/authorize-channel.decorator.js';
export type { ChannelsOf, HandlerDecorator } from './decorators/channel-handler.decorator.js';
export {
  OnFirstSubscriber,
  OnLastUnsubscribed,
  OnSubscribe,
  OnUnsubscribe,
} from './decorators/hooks.decorators.js';
export { LastEventId } from './decorators/last-event-id.decorator.js';
export { Publish, type PublishDecorator, type PublishedAs } from './decorators/publish.decorator.js';
export { Sse, type SseDecorator, type SseRouteOptions, type Streamed } from './decorators/sse.decorator.js';
export { isSseRoute } from './delivery/sse-route.metadata.js';
export type { PlainStream } from './delivery/sse-route.metadata.js';
export type { EndpointOptions } from './endpoint/endpoint.controller.js';
export { SseSnapshot } from './decorators/sse-snapshot.decorator.js';
export type { Denial, DenialReason } from './delivery/connection-access.js';
export type { ChannelAccess } from './hub/access/authorization.js';
export {
  PUBLISH_ID_MEMORY,
  SseBackplane,
  type BackplaneStats,
  type FollowedLog,
  type LogFollower,
  type LogRange,
  type RangeQuery,
} from './hub/backplane.js';
export type { BackplaneFactory, OpenBackplane } from './hub/backplane-factory.js';
export { ChannelDefinition, defineChannel } from './hub/definitions/channel-definition.js';
export type { ChannelDefinitionOptions, ChannelRule } from './hub/definitions/channel-definition.js';
export type { ChannelParams, MatchedParams } from './hub/definitions/channel-pattern.js';
export type {
  ConnectionDetails,
  ConnectionFilter,
  ConnectionInfo,
  Reach,
} from './hub/instances/connections.js';
export {
  AWAY_TIME,
  LEASE_TIME,
  SseCluster,
  type ClusterListener,
  type OrderFollower,
} from './hub/instances/cluster.js';
export type { OrderOutcome } from './hub/instances/orders.js';
export type { SseWills, Will } from './hub/instances/wills.js';
export type { ChannelSubscription, ChannelUse } from './hub/handlers/hooks.js';
export type { Identify, Identity } from './hub/access/identity.js';
export { EventLog, type LogEntry } from './hub/event-log.js';
export { type, type EventSchemas, type EventType } from './hub/definitions/event-schemas.js';
export type { JsonOf } from './hub/json-of.js';
export type { StoredEvent } from './hub/stored-event.js';
export type { SnapshotOf, SnapshotRequest } from './hub/snapshots/snapshot.js';
export type { Position } from './protocol/position.js';
export type { ChannelSettings, HistorySettings, PresenceSettings } from './sse.settings.js';
export type {
  AnyEvents,
  ChannelName,
  EventMap,
  EventsOf,
  Gap,
  GapReason,
  InputsOf,
  PublishedEvent,
  SseEvent,
  SseEventInput,
} from './hub/sse-event.js';
export type { PresenceEvent, PresenceMember, PresenceMembers } from './hub/presence/member.js';
export type { PipeOptions } from './hub/sources/source-pipe.js';
export type { FormLastEvent, LastEvent, PipeFailure } from './hub/sources/pipe-failure.js';
export { SseHub } from './hub/sse-hub.js';
export type { PublishOptions } from './hub/channel-writer.js';
export type { ChannelHistory, HistoryQuery, HubStats, StreamOptions } from './hub/sse-hub.js';
export { whileLeading } from './hub/instances/while-leading.js';
export { SseError, type SseErrorCode } from './sse.errors.js';
export { SseModule } from './sse.module.js';
export type { SseModuleOptions, SseOptionsFactory } from './sse.module-definition.js';
export type {
  ChannelOptions,
  ConnectionKey,
  HistoryOptions,
  KeyedEvent,
  LatestPolicy,
  PresenceOptions,
  Replay,
  ShutdownOptions,
  SlowPolicy,
  SseLimits,
} from './sse.options.js';
