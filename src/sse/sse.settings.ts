import type {
  ChannelOptions,
  HistoryOptions,
  PresenceOptions,
  ShutdownOptions,
  SseBaseOptions,
  SseLimits,
} from './sse.options.js';
import {
  ageOf,
  booleanOf,
  checkObject,
  countOf,
  defined,
  functionOf,
  lifetimeOf,
  millisecondsOf,
  oneOf,
  replayOf,
  slowOf,
  withDefaults,
} from './validate.js';

/** The history of a channel with every default in place; `undefined` for a channel without. */
export type HistorySettings = Required<HistoryOptions> | undefined;

/** The presence of a channel with every default in place; `undefined` for a channel without. */
export type PresenceSettings = Required<PresenceOptions> | undefined;

/** The options of one channel with every default in place. */
export interface ChannelSettings extends Required<Pick<ChannelOptions, 'ttl' | 'replay' | 'slow'>> {
  readonly history: HistorySettings;
  readonly presence: PresenceSettings;
}

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
}

const MIB = 1024 * 1024;

const DEFAULT_HISTORY: Required<HistoryOptions> = { count: 100, bytes: MIB, age: Infinity };

const DEFAULT_PRESENCE: Required<PresenceOptions> = { events: false, grace: 5_000 };

const DEFAULT_CHANNEL: ChannelSettings = {
  history: DEFAULT_HISTORY,
  ttl: 600_000,
  replay: 'none',
  slow: 'gap',
  presence: undefined,
};

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
  shutdown: { grace: 1_000, spread: 5_000 },
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

/** The settings of a channel: its options, and the inherited settings for those that it leaves out. */
export function channelSettings(options: ChannelOptions, inherited: ChannelSettings): ChannelSettings {
  const { ttl, replay, slow } = { ...inherited, ...defined(options) };
  return {
    history: historySettings(options.history, inherited.history),
    ttl: ageOf('ttl', ttl),
    replay: replayOf('replay', replay),
    slow: slowOf('slow', slow),
    presence: presenceSettings(options.presence, inherited.presence),
  };
}

/** @throws SseError `INVALID_OPTIONS` */
export function checkChannelOptions(options: ChannelOptions): void {
  checkObject(options, ['events', ...Object.keys(DEFAULT_CHANNEL)], 'defineChannel()');
  channelSettings(options, DEFAULT_CHANNEL);
}

function historySettings(
  history: HistoryOptions | 0 | undefined,
  inherited: HistorySettings,
): HistorySettings {
  if (history === undefined) return inherited;
  if (history === 0) return undefined;
  const settings = withDefaults('history', history, inherited ?? DEFAULT_HISTORY);
  countOf('history.count', settings.count, 1);
  countOf('history.bytes', settings.bytes, 1);
  ageOf('history.age', settings.age);
  return settings;
}

function presenceSettings(
  presence: PresenceOptions | boolean | undefined,
  inherited: PresenceSettings,
): PresenceSettings {
  if (presence === undefined) return inherited;
  if (presence === false) return undefined;
  const defaults = inherited ?? DEFAULT_PRESENCE;
  if (presence === true) return defaults;
  const settings = withDefaults('presence', presence, defaults);
  booleanOf('presence.events', settings.events);
  millisecondsOf('presence.grace', settings.grace);
  return settings;
}
