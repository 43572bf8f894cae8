import { storedEvent, type StoredEvent } from '../../src/sse/hub/stored-event.js';
import type { SseEventInput } from '../../src/sse/hub/sse-event.js';

/** An event as a log keeps it. */
export const stored = (event: SseEventInput): StoredEvent => storedEvent(event, true, Infinity);

/** One whose size, as it goes out, is exactly so many bytes; at least 9. */
export function storedOf(bytes: number): StoredEvent {
  const event = stored({ data: 'x'.repeat(bytes - 'data: \n\n'.length) });
  if (event.bytes !== bytes) throw new Error(`${event.bytes} bytes, not ${bytes}`);
  return event;
}
