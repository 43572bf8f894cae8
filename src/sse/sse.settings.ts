import { channelSettings, DEFAULT_CHANNEL, type ChannelSettings } from './channel.settings.js';
import type {
  ChannelOptions,
  HealthOptions,
  ShutdownOptions,
  SseBaseOptions,
  SseLimits,
} from './sse.options.js';
import {
  booleanOf,
  checkObject,
  countOf,
  defined,
  functionOf,
  lifetimeOf,
  millisecondsOf,
  oneOf,
  withDefaults,
} from './validate.js';

export {
  channelSettings,
  type ChannelSettings,
  type HistorySettings,
  type PresenceSettings,
} from './channel.settings.js';

/** The limits with every default in place. */
export interface LimitSettings extends Required<SseLimits> {
  /** `channelsPerConnection` of responses with own ids: the option for both has two defaults. */
  readonly channelsWithOwnIds: number;
}

/** Injection token of the module's settings. */
export const SSE_SETTINGS = Symbol('SSE_SETTINGS');

/** The options of the module with every default in place. */
export interface SseSettings extends Required<Omit<SseBaseOptions, keyof ChannelOptions | 'limits'>> {
  /** The settings of channels that no definition matches; those of the others inherit from them. */
  readonly channel: ChannelSettings;
  readonly limits: LimitSettings;
  readonly shutdown: Required<ShutdownOptions>;
  readonly health: Required<HealthOptions>;
}

const MIB = 1024 * 1024;

/** The defaults of all options, in the one place where they are applied. */
const DEFAULTS: SseSettings = {
  channel: DEFAULT_CHANNEL,
  maxEventBytes: MIB,
  heartbeat: 15_000,
  retry: 2_000,
  strictChannels: false,
  strictHandlers: true,
  limits: {
    connections: 20_000,
    connectionsPerKey: Infinity,
    connectionsPerSecond: Infinity,
    connectionAge: Infinity,
    channelsPerConnection: 50,
    channelsWithOwnIds: 500,
    channels: 1_000_000,
    historyBytes: 256 * MIB,
    queuedBytes: MIB,
    joinsPerSecond: 10,
    membersPerChannel: 10_000,
  },
  connectionKey: addressOf,
  whenFull: 'retry',
  stockRoutes: 'serve',
  shutdown: { notice: 0, grace: 1_000, spread: 5_000 },
  health: { awayGrace: 30_000 },
  unguarded: 'open',
  authorizeTime: 5_000,
  reauthorize: 0,
  snapshotTime: 5_000,
};

/** The client's address: the adapter's, which may know of proxies, or the socket's. */
function addressOf(request: {
  readonly ip?: string;
  readonly socket?: { readonly remoteAddress?: string };
}): string | undefined {
  return request.ip ?? request.socket?.remoteAddress;
}

/** Applies the defaults. @throws SseError `INVALID_OPTIONS` that names the option and what it takes */
export function moduleSettings(options: SseBaseOptions = {}): SseSettings {
  const { channel, ...defaults } = DEFAULTS;
  checkObject(
    options,
    ['isGlobal', 'endpoint', 'backplane', 'identify', ...Object.keys(channel), ...Object.keys(defaults)],
    'SseModule.forRoot()',
  );
  const { backplane } = options as { readonly backplane?: unknown };
  const opensOne = 'what a function such as redisBackplane() of nestjs-sse-hub/redis gives';
  if (backplane !== undefined) functionOf('backplane', backplane, opensOne);
  const given = { ...defaults, ...defined(options) };
  const limits = limitSettings(options.limits, DEFAULTS.limits);
  const shutdown = withDefaults('shutdown', options.shutdown, DEFAULTS.shutdown);
  for (const [name, value] of Object.entries(shutdown)) millisecondsOf(`shutdown.${name}`, value);
  const health = withDefaults('health', options.health, DEFAULTS.health);
  countOf('health.awayGrace', health.awayGrace, 0);
  return {
    channel: channelSettings(options, channel),
    maxEventBytes: countOf('maxEventBytes', given.maxEventBytes, 1),
    heartbeat: millisecondsOf('heartbeat', given.heartbeat),
    retry: millisecondsOf('retry', given.retry),
    strictChannels: booleanOf('strictChannels', given.strictChannels),
    strictHandlers: booleanOf('strictHandlers', given.strictHandlers),
    limits,
    connectionKey: functionOf('connectionKey', given.connectionKey, 'a function that says whose a stream is'),
    whenFull: oneOf('whenFull', given.whenFull, ['retry', 'refuse']),
    stockRoutes: oneOf('stockRoutes', given.stockRoutes, ['serve', 'leave']),
    shutdown,
    health,
    unguarded: oneOf('unguarded', given.unguarded, ['open', 'deny']),
    authorizeTime: millisecondsOf('authorizeTime', given.authorizeTime, 1),
    reauthorize: millisecondsOf('reauthorize', given.reauthorize),
    snapshotTime: millisecondsOf('snapshotTime', given.snapshotTime, 1),
  };
}

function limitSettings(given: SseLimits | undefined, all: LimitSettings): LimitSettings {
  const { channelsWithOwnIds, ...defaults } = all;
  const limits = withDefaults<Required<SseLimits>>('limits', given, defaults);
  for (const [name, value] of Object.entries(limits)) countOf(`limits.${name}`, value, 1);
  lifetimeOf('limits.connectionAge', limits.connectionAge);
  return { ...limits, channelsWithOwnIds: given?.channelsPerConnection ?? channelsWithOwnIds };
}
