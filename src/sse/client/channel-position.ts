/*
 * Positions of channels, as ids name them: `chat=12.kQz9aBcD&clock=*`. A channel without history has the position `*`.
 */

export const NO_HISTORY = '*';

/** The channels that an id names, each with its position, empty without history. An id of another form names none. */
export function channelsIn(id = ''): [channel: string, position: string][] {
  if (!id.includes('=')) return [];
  return id.split('&').map((part) => {
    const [name = '', position = ''] = part.split('=');
    return [decodeURIComponent(name), position === NO_HISTORY ? '' : position];
  });
}

/** An id that names channels. */
export const idOf = (channels: readonly (readonly [channel: string, position: string])[]): string =>
  channels.map(([name, position]) => `${encodeURIComponent(name)}=${position || NO_HISTORY}`).join('&');

/** The position of one channel in an id, which may be that of the channel alone. */
export const positionIn = (id: string, channel: string): string =>
  id.includes('=') ? (new Map(channelsIn(id)).get(channel) ?? '') : id;

/** How many events of its log a position has behind it; NaN for none. */
export const offsetOf = (position: string): number => Number.parseInt(position, 10);
