import { SseError } from './sse.errors.js';
import type {
  ChannelOptions,
  ConnectionKey,
  HistoryOptions,
  PresenceOptions,
  Replay,
  ShutdownOptions,
  SlowPolicy,
  SseBaseOptions,
  SseLimits,
} from './sse.options.js';

/** The history of a channel with every default in place; `undefined` for a channel without. */
export type HistorySettings = Required<HistoryOptions> | undefined;

/** The presence of a channel with every default in place; `undefined` for a channel without. */
export type PresenceSettings = Required<PresenceOptions> | undefined;

/** What holds for one channel. */
export interface ChannelSettings {
  readonly history: HistorySettings;
  readonly ttl: number;
  readonly replay: Replay;
  readonly slow: SlowPolicy;
  readonly presence: PresenceSettings;
}

/** Injection token of the module's settings. */
export const SSE_SETTINGS = Symbol('SSE_SETTINGS');

/** What holds for the module. */
export interface SseSettings {
  readonly channel: ChannelSettings;
  readonly maxEventBytes: number;
  readonly heartbeat: number;
  readonly retry: number;
  readonly strictChannels: boolean;
  readonly limits: Required<SseLimits>;
  readonly connectionKey: ConnectionKey;
  readonly whenFull: 'retry' | 'refuse';
  readonly stockRoutes: 'serve' | 'leave';
  readonly shutdown: Required<ShutdownOptions>;
  readonly authorizeTime: number;
  readonly reauthorize: number;
  readonly snapshotTime: number;
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

/** The design's table of defaults, in the one place where they are applied. */
const DEFAULTS: SseSettings = {
  channel: DEFAULT_CHANNEL,
  maxEventBytes: MIB,
  heartbeat: 15_000,
  retry: 2_000,
  strictChannels: false,
  limits: {
    connections: 20_000,
    connectionsPerKey: Infinity,
    connectionsPerSecond: Infinity,
    connectionAge: Infinity,
    channelsPerConnection: 50,
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
  authorizeTime: 5_000,
  reauthorize: 0,
  snapshotTime: 5_000,
};

/** The client's address: as the adapter has it, which may know of proxies. */
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
  if (backplane !== undefined)
    functionOf(
      'backplane',
      backplane,
      'what a function such as redisBackplane() of nestjs-sse-hub/redis gives',
    );
  const given = { ...defaults, ...defined(options) };
  const limits = withDefaults('limits', options.limits, DEFAULTS.limits);
  for (const [name, value] of Object.entries(limits)) countOf(`limits.${name}`, value, 1);
  ageOf('limits.connectionAge', limits.connectionAge);
  const shutdown = withDefaults('shutdown', options.shutdown, DEFAULTS.shutdown);
  for (const [name, value] of Object.entries(shutdown)) millisecondsOf(`shutdown.${name}`, value);
  return {
    channel: channelSettings(options, channel),
    maxEventBytes: countOf('maxEventBytes', given.maxEventBytes, 1),
    heartbeat: millisecondsOf('heartbeat', given.heartbeat),
    retry: millisecondsOf('retry', given.retry),
    strictChannels: oneOf('strictChannels', given.strictChannels, [true, false]),
    limits,
    connectionKey: functionOf('connectionKey', given.connectionKey, 'a function that says whose a stream is'),
    whenFull: oneOf('whenFull', given.whenFull, ['retry', 'refuse']),
    stockRoutes: oneOf('stockRoutes', given.stockRoutes, ['serve', 'leave']),
    shutdown,
    authorizeTime: millisecondsOf('authorizeTime', countOf('authorizeTime', given.authorizeTime, 1)),
    reauthorize: millisecondsOf('reauthorize', given.reauthorize),
    snapshotTime: millisecondsOf('snapshotTime', countOf('snapshotTime', given.snapshotTime, 1)),
  };
}

/** What holds for a channel whose options are these, in a module whose channels have those settings. */
export function channelSettings(options: ChannelOptions, inherited: ChannelSettings): ChannelSettings {
  const { ttl, replay, slow } = { ...inherited, ...defined(options) };
  return {
    history: historySettings(options.history, inherited.history),
    ttl: positiveOf('ttl', ttl),
    replay: replayOf(replay),
    slow: slowOf(slow),
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
  positiveOf('history.age', settings.age);
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
  oneOf('presence.events', settings.events, [true, false]);
  millisecondsOf('presence.grace', settings.grace);
  return settings;
}

/** @throws SseError `INVALID_OPTIONS` */
export function replayOf(replay: Replay): Replay {
  if (typeof replay === 'number') return countOf('replay', replay, 0);
  return replay === 'none' || replay === 'all'
    ? replay
    : invalid('replay', replay, '"none", "all" or a number of events');
}

/** @throws SseError `INVALID_OPTIONS` */
export function slowOf(slow: SlowPolicy): SlowPolicy {
  if (typeof slow !== 'object') return oneOf('slow', slow, ['gap', 'disconnect']);
  checkObject(slow, ['latest'], 'The option "slow"');
  functionOf('slow.latest', slow.latest, 'a function that gives the key of an event');
  return slow;
}

/** Milliseconds: timers of Node take 31 bits and fire at once beyond. */
export const LONGEST_TIMER = 2_147_483_647;

/** @throws SseError `INVALID_OPTIONS` */
export function millisecondsOf(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > LONGEST_TIMER) {
    invalid(name, value, `a whole number of milliseconds from 0 to ${LONGEST_TIMER}`);
  }
  return value;
}

/** @throws SseError `INVALID_OPTIONS` */
export function countOf(name: string, value: number, least: number): number {
  if (value !== Infinity && (!Number.isSafeInteger(value) || value < least)) {
    invalid(name, value, `a whole number of at least ${least}, or Infinity`);
  }
  return value;
}

/** @throws SseError `INVALID_OPTIONS` */
export function stringOf(name: string, value: unknown): void {
  if (typeof value !== 'string') invalid(name, value, 'a string');
}

/** @throws SseError `INVALID_OPTIONS` */
export function functionOf<T>(name: string, value: T, expected: string): T {
  if (typeof value !== 'function') invalid(name, value, expected);
  return value;
}

function ageOf(name: string, value: number): void {
  if (value !== Infinity && value > LONGEST_TIMER)
    invalid(name, value, `a whole number of milliseconds from 1 to ${LONGEST_TIMER}, or Infinity`);
}

function positiveOf(name: string, value: number): number {
  if (typeof value !== 'number' || !(value > 0))
    invalid(name, value, 'a number of milliseconds above 0, or Infinity');
  return value;
}

/** @throws SseError `INVALID_OPTIONS` */
export function oneOf<T>(name: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value))
    invalid(name, value, `one of ${allowed.map((one) => JSON.stringify(one)).join(', ')}`);
  return value;
}

function withDefaults<T extends object>(name: string, given: Partial<T> | undefined, defaults: T): T {
  if (given === undefined) return defaults;
  checkObject(given, Object.keys(defaults), `The option "${name}"`);
  return { ...defaults, ...defined(given) };
}

/** What was said, without what was said to be undefined. */
function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
}

/** @throws SseError `INVALID_OPTIONS` */
export function checkObject(given: object, known: readonly string[], where: string): void {
  if (typeof given !== 'object' || (given as object | null) === null || Array.isArray(given)) {
    throw new SseError('INVALID_OPTIONS', `${where} takes an object of ${known.join(', ')}.`);
  }
  for (const key of Object.keys(given)) {
    if (!known.includes(key)) {
      throw new SseError('INVALID_OPTIONS', `${where} has no option "${key}". It takes ${known.join(', ')}.`);
    }
  }
}

function invalid(name: string, value: unknown, expected: string): never {
  let got = String(typeof value === 'object' && value !== null ? 'an object' : value);
  if (typeof value === 'string') got = JSON.stringify(value);
  if (typeof value === 'function') got = 'a function';
  throw new SseError('INVALID_OPTIONS', `The option "${name}" is ${got}. Give it ${expected}.`);
}
