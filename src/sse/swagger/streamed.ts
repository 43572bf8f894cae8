import type { ChannelRule } from '../channels/channel-definition.js';
import type { DescribedApp } from './described-app.js';
import type { PackageEventType } from './package-events.js';

/** The channels that a response may have. */
export interface Streamed {
  readonly definitions: readonly ChannelRule[];
  /** Whether there may be channels of which nothing is known, or events that are of no channel. */
  readonly others: 'channels' | 'events' | 'none';
  readonly by: 'route' | 'plain route' | 'endpoint';
}

/** Whether something holds for some of the channels; of those that are not known it is asked without a definition. */
export const holdsForSome = (
  { definitions, others }: Streamed,
  holds: (definition?: ChannelRule) => boolean,
): boolean => definitions.some((definition) => holds(definition)) || (others === 'channels' && holds());

/** The events of this package that a response may carry. */
export function packageEventsOf(app: DescribedApp, streamed: Streamed): PackageEventType[] {
  if (streamed.by === 'plain route') return [];
  const { knowsUsers } = app;
  const isEndpoint = streamed.by === 'endpoint';
  const some = (holds: (definition?: ChannelRule) => boolean): boolean => holdsForSome(streamed, holds);
  const hasHistory = some((definition) => app.hasHistory(definition));
  const sent: Readonly<Record<PackageEventType, boolean>> = {
    connection: isEndpoint,
    'sse-position': hasHistory,
    gap: hasHistory,
    snapshot: some((definition) => app.hasSnapshots(definition)),
    members: isEndpoint && some((definition) => app.announcesMembers(definition)),
    denied: knowsUsers || some((definition) => app.isRestricted(definition)),
    expired: knowsUsers,
    error: true,
  };
  return (Object.keys(sent) as PackageEventType[]).filter((type) => sent[type]);
}
