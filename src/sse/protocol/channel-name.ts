/** The longest channel name, in characters (UTF-16 code units). */
export const MAX_CHANNEL_LENGTH = 200;

const CONTROL_OR_LONE_SURROGATE = /[\p{Cc}\p{Cs}]/u;

/**
 * The fault of a channel's name and what to do about it; undefined for a valid name. A name has 1 to 200 characters, in
 * segments separated by `/`, none of them empty, without control characters. It is no path: `..` is an ordinary segment.
 */
export function channelNameFault(name: unknown): string | undefined {
  if (typeof name !== 'string') return `is ${name === null ? 'null' : typeof name}, not a string`;
  if (name.length === 0) return 'is empty';
  if (name.length > MAX_CHANNEL_LENGTH)
    return `has ${name.length} characters, at most ${MAX_CHANNEL_LENGTH} are allowed`;
  if (CONTROL_OR_LONE_SURROGATE.test(name))
    return 'has a control character or half of a surrogate pair in it. Make it with ChannelDefinition.of(), or encode what is put into it with encodeURIComponent()';
  if (name.startsWith('/') || name.endsWith('/') || name.includes('//'))
    return 'has an empty segment. Leave out a slash at its beginning or end, and the second of two';
  return undefined;
}

/** A placeholder as routers write it. No name that `ChannelDefinition.of()` makes has one: it encodes these characters. */
const PLACEHOLDER = /^(:\w+|\{.*\})$/;

/** The fault of a name in which a placeholder was left (`:id`, `{id}`); undefined if there is none. */
export function placeholderFault(name: string): string | undefined {
  const found = name.split('/').find((segment) => PLACEHOLDER.test(segment));
  return (
    found && `has ${found} in the place of a value. Make it with ChannelDefinition.of(), or put the value in`
  );
}

/** A text with its percent-encoding undone; undefined where that is malformed. */
export function uriDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
