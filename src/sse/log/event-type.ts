import { isOneLine, normalText } from '../protocol/event-stream.js';
import { invalidEvent, SseError } from '../sse.errors.js';
import { RESERVED_TYPES } from './sse-event.js';

/**
 * The type of an event, as it is sent.
 *
 * @throws SseError `INVALID_EVENT`, `RESERVED_TYPE`
 */
export function typeOf(type: unknown): string {
  if (typeof type !== 'string' || type === '')
    throw invalidEvent('type', 'is a string of at least one character');
  if (!isOneLine(type)) throw invalidEvent('type', 'is one line without NUL');
  if (RESERVED_TYPES.has(type)) {
    throw new SseError(
      'RESERVED_TYPE',
      `Events of type "${type}" are sent by the package alone. Choose another type.`,
    );
  }
  return normalText(type);
}
