/** The longest channel name, in characters (UTF-16 code units). */
export const MAX_CHANNEL_LENGTH = 200;

const CONTROL_OR_LONE_SURROGATE = /[\p{Cc}\p{Cs}]/u;

/**
 * What is wrong with a channel's name, or nothing: 1 to 200 characters, segments separated by `/`,
 * none of them empty, no control characters. A name is no path: `..` is a segment like any other.
 */
export function channelNameFault(name: unknown): string | undefined {
  if (typeof name !== 'string') return `is ${name === null ? 'null' : typeof name}, not a string`;
  if (name.length === 0) return 'is empty';
  if (name.length > MAX_CHANNEL_LENGTH)
    return `has ${name.length} characters, at most ${MAX_CHANNEL_LENGTH} are allowed`;
  if (CONTROL_OR_LONE_SURROGATE.test(name))
    return 'has a control character or half of a surrogate pair in it';
  if (name.startsWith('/') || name.endsWith('/') || name.includes('//')) return 'has an empty segment';
  return undefined;
}
