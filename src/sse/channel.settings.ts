import type { ChannelOptions, HistoryOptions, PresenceOptions } from './sse.options.js';
import {
  ageOf,
  booleanOf,
  checkObject,
  countOf,
  defined,
  millisecondsOf,
  replayOf,
  slowOf,
  withDefaults,
} from './validate.js';

// Apart from the module's settings, as a page that defines its channels loads this file and not those.

/** The history of a channel with every default in place; `undefined` for a channel without. */
export type HistorySettings = Required<HistoryOptions> | undefined;

/** The presence of a channel with every default in place; `undefined` for a channel without. */
export type PresenceSettings = Required<PresenceOptions> | undefined;

/** The options of one channel with every default in place. */
export interface ChannelSettings extends Required<
  Pick<ChannelOptions, 'ttl' | 'replay' | 'slow' | 'compress'>
> {
  readonly history: HistorySettings;
  readonly presence: PresenceSettings;
}

const DEFAULT_HISTORY: Required<HistoryOptions> = { count: 100, bytes: 1024 * 1024, age: Infinity };

const DEFAULT_PRESENCE: Required<PresenceOptions> = { events: false, grace: 5_000 };

/** The settings of a channel for which nothing is said anywhere. */
export const DEFAULT_CHANNEL: ChannelSettings = {
  history: DEFAULT_HISTORY,
  ttl: 600_000,
  replay: 'none',
  slow: 'gap',
  compress: false,
  presence: undefined,
};

/** The settings of a channel: its options, and the inherited settings for those that it leaves out. */
export function channelSettings(options: ChannelOptions, inherited: ChannelSettings): ChannelSettings {
  const { ttl, replay, slow, compress } = { ...inherited, ...defined(options) };
  return {
    history: historySettings(options.history, inherited.history),
    ttl: ageOf('ttl', ttl),
    replay: replayOf('replay', replay),
    slow: slowOf('slow', slow),
    compress: booleanOf('compress', compress),
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
