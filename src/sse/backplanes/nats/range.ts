import { Logger } from '@nestjs/common';
import type { HistoryOptions } from '../../sse.options.js';
import { EventLog } from '../../hub/event-log.js';
import type { Position } from '../../protocol/position.js';
import type { RemoteRange } from '../remote/log-mirror.js';
import type { ChannelState } from './channel-state.js';
import { decodeMessage } from './message.js';

/** What is known of a channel already. */
export interface Known {
  readonly position: Position;
  /** Up to this sequence of the stream nothing of the channel was missed. */
  readonly synced: number;
}

/**
 * Reads what the stream has of a channel: after what is known, or all, within the limits. Its record must
 * be there.
 *
 * Messages go from the beginning of the stream, by its limits, or from that of the channel, when its
 * history is cut. Both leave traces: the stream's first sequence, and what later messages and the record
 * say. So it is known up to where something may be gone, although the stream does not tell.
 */
export async function readRange(
  state: ChannelState,
  limits: Required<HistoryOptions>,
  known?: Known,
): Promise<RemoteRange> {
  const { stream, incarnation, epoch } = state;
  const before = incarnation.now;
  const { floor, purged, completed } = state.record ?? { floor: 0, purged: 0 };
  const isSame = known?.position.epoch === epoch;
  const start = Math.max(purged, isSame ? known.position.offset : 0);
  const log = new EventLog(epoch, limits);
  log.floor = log.head = start;
  let lost = floor;
  let oldest: number | undefined;
  const isWhole = await stream.readAfter(start, state.events, (seq, text) => {
    oldest ??= seq;
    const message = eventIn(state, seq, text);
    if (!message) return;
    incarnation.saw(seq, message.at);
    lost = Math.max(lost, message.trimmed);
    log.push({ offset: seq, previous: log.head, at: message.at, event: message.event });
  });
  log.expire(Date.now());
  const info = await stream.info();
  if (!incarnation.agrees(info, before)) {
    await incarnation.check();
    throw new Error('the stream has changed meanwhile');
  }
  // Looked up last: what the limits let go of while it was read is counted too.
  lost = Math.max(lost, info.state.first_seq - 1, isWhole ? 0 : (oldest ?? before.highest + 1) - 1);
  if (lost > Math.max(start, isSame ? known.synced : 0)) startAt(log, lost);
  return {
    epoch,
    floor: log.floor,
    head: log.head,
    entries: [...log.entriesAfter(log.floor)],
    clearedAt: purged,
    completed: completed !== undefined,
  };
}

/** Lets go of what a log has up to an offset, and says so. */
function startAt(log: EventLog, floor: number): void {
  if (floor <= log.floor) return;
  const kept = [...log.entriesAfter(floor)];
  log.clear(floor);
  for (const entry of kept) log.push({ ...entry, previous: log.head });
}

/** The event that a message is; nothing if it came too late, or if somebody else wrote it. */
export function eventIn(state: ChannelState, seq: number, text: string) {
  if (state.isTooLate(seq)) return undefined;
  const message = decodeMessage(text);
  if (!message) {
    new Logger('SseHub').warn(
      `Message ${seq} of the stream "${state.stream.subjects.stream}", on channel "${state.name}", was not written by this package. It is skipped.`,
    );
  }
  return message;
}
