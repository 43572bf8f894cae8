import { randomUUID } from 'node:crypto';
import type { SseBackplane } from '../hub/backplane.js';
import { storedEvent, type StoredEvent } from '../hub/stored-event.js';
import type { Position } from '../protocol/position.js';
import type { ChannelOptions } from '../sse.options.js';
import { channelSettings, moduleSettings, type ChannelSettings } from '../sse.settings.js';
import { Listener } from './listener.js';

/** One channel of a test, of a name that no other has. */
export interface Place {
  readonly backplane: SseBackplane;
  readonly channel: string;
  readonly settings: ChannelSettings;
  append(data?: unknown): Promise<Position>;
  listener(): Promise<Listener>;
  /** The data of what is kept, oldest first. */
  kept(): Promise<unknown[]>;
}

export type PlaceOf = (options?: ChannelOptions) => Place;

export const settingsOf = (options: ChannelOptions = {}): ChannelSettings =>
  channelSettings(options, moduleSettings().channel);
export const stored = (data: unknown): StoredEvent => storedEvent({ data }, true, Infinity);

export function placeOn(backplane: SseBackplane, options?: ChannelOptions): Place {
  const channel = `contract/${randomUUID()}`;
  const settings = settingsOf(options);
  return {
    backplane,
    channel,
    settings,
    append: (data = 'x') => backplane.append(channel, settings, stored(data)),
    listener: () => new Listener(backplane, channel, settings).ready,
    kept: async () => {
      const range = await backplane.read(channel, { limit: Infinity });
      return (range?.entries ?? []).map(({ event: { json, data } }) =>
        json && data !== undefined ? (JSON.parse(data) as unknown) : data,
      );
    },
  };
}
