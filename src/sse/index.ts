export { AuthorizeChannel } from './access/authorize-channel.decorator.js';
export type { ChannelsOf, HandlerDecorator } from './handlers/channel-handler.decorator.js';
export {
  OnFirstSubscriber,
  OnLastUnsubscribed,
  OnSubscribe,
  OnUnsubscribe,
  type ChannelSubscription,
  type ChannelUse,
} from './hooks/hooks.decorators.js';
export { Publish, type PublishDecorator, type PublishedAs } from './publishing/publish.decorator.js';
export {
  LastEventId,
  Sse,
  type SseDecorator,
  type SseRouteOptions,
  type Streamed,
} from './http/sse.decorator.js';
export { isSseRoute, type PlainStream, type StreamFailure } from './http/sse-route.metadata.js';
export type { EndpointOptions } from './endpoint/endpoint.controller.js';
export { SseSnapshot, type SnapshotOf, type SnapshotRequest } from './snapshots/sse-snapshot.decorator.js';
export type { Denial, DenialReason } from './access/connection-access.js';
export type { ChannelAccess } from './access/authorization.js';
export {
  PUBLISH_ID_MEMORY,
  SseBackplane,
  type BackplaneState,
  type BackplaneStats,
  type FollowedLog,
  type LogFollower,
  type LogRange,
  type RangeQuery,
} from './log/backplane.js';
export type { BackplaneFactory, OpenBackplane } from './backplanes/backplane-factory.js';
export * from './channels/index.js';
export type { ConnectionDetails, StreamPosition } from './connection-details.js';
export type { ConnectionFilter, ConnectionInfo } from './http/connections.js';
export type { Reach } from './cluster/scatter-gather.js';
export {
  AWAY_TIME,
  LEASE_TIME,
  SseCluster,
  type ClusterListener,
  type OrderFollower,
} from './cluster/cluster.js';
export type { OrderOutcome } from './cluster/orders.js';
export type { SseWills, Will } from './cluster/wills.js';
export type { Identify, Identity } from './http/identity.js';
export { EventLog, type LogEntry } from './log/event-log.js';
export type { ChannelHistory, HistoryQuery } from './log/history.js';
export type { EventCopy, StoredEvent } from './log/stored-event.js';
export type { Position } from './protocol/position.js';
export type { ChannelSettings, HistorySettings, PresenceSettings } from './sse.settings.js';
export type { Gap, GapReason } from './log/sse-event.js';
export type { PresenceEvent, PresenceMember } from './presence-member.js';
export type { PresenceMembers } from './presence/member.js';
export type { PipeOptions, PipeSource } from './pipes/source-pipe.js';
export type { FormLastEvent, LastEvent, PipeFailure } from './pipes/pipe-failure.js';
export type {
  HealthReason,
  HealthStatus,
  HubHealth,
  LimitUse,
  LiveHealth,
  ReadyHealth,
} from './health/hub-health.js';
export type { DrainPhase } from './http/drain.js';
export { SseHub, type HubStats } from './sse-hub.js';
export type { DefinitionStats } from './definition-stats.js';
export type { PublishOptions } from './publishing/channel-writer.js';
export type { StreamOptions } from './streams/streams.js';
export { whileLeading } from './cluster/while-leading.js';
export { SseModule } from './sse.module.js';
export { listenTo, type SseListeners } from './diagnostics/listen.js';
export type {
  EndReason,
  ObservedConnection,
  OfChannel,
  OfConnection,
  OfHub,
  Publishing,
  ReachableState,
  RefusingLimit,
  SseDiagnostics,
  SsePublishing,
} from './diagnostics/messages.js';
export type { SseModuleOptions, SseOptionsFactory } from './sse.module-definition.js';
export type { ConnectionKey, HealthOptions, ShutdownOptions, SseLimits } from './sse.options.js';
