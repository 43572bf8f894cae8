import type { LogEntry } from '../../src/sse/log/event-log.js';
import { storedEvent, type StoredEvent } from '../../src/sse/log/stored-event.js';
import type { SseEventInput } from '../../src/sse/log/sse-event.js';
import type { Position } from '../../src/sse/protocol/position.js';

/** An event as a log keeps it. */
export const stored = (event: SseEventInput): StoredEvent => storedEvent(event, 'publisher', Infinity);

/** One whose size, as it goes out, is exactly so many bytes; at least 9. */
export function storedOf(bytes: number): StoredEvent {
  const event = stored({ data: 'x'.repeat(bytes - 'data: \n\n'.length) });
  if (event.bytes !== bytes) throw new Error(`${event.bytes} bytes, not ${bytes}`);
  return event;
}

/** The position of an event in logs of tests, where each offset has one and the same mark. */
export const positionAt = (offset: number): Position => ({ offset, mark: `m${offset}` });

/** The entry of an event in such a log, of which no offset is left out. */
export const entryAt = (offset: number, event: StoredEvent): LogEntry => ({
  ...positionAt(offset),
  previous: positionAt(offset - 1),
  at: 0,
  event,
});
