import { SseError } from '../sse.errors.js';
import type { ChannelWriter } from '../publishing/channel-writer.js';
import { restoredEvent, type StoredEvent } from '../log/stored-event.js';

/** What is left to be done for a channel that a source is piped into, whoever does it. */
export interface PipeWill {
  readonly channel: string;
  /** Listeners are still to be told this. */
  readonly last: StoredEvent | undefined;
  /** Whether the channel is to be completed then. */
  readonly complete: boolean;
}

/** A will as a text: JSON without the event's body, which is made of the rest. */
export function textOfWill({ channel, last, complete }: PipeWill): string {
  const fields = last && { ...last, body: undefined, bytes: undefined };
  return JSON.stringify({ channel, last: fields, complete });
}

/** @throws where it is the text of something else */
export function willOfText(text: string): PipeWill {
  const { channel, last, complete } = JSON.parse(text) as PipeWill;
  return { channel, last: last && restoredEvent(last), complete };
}

/**
 * Tells listeners what is left to be told, once however often it is tried.
 *
 * @param id of the pipe
 */
export async function tellLast(
  id: string,
  { channel, last }: PipeWill,
  writer: ChannelWriter,
): Promise<void> {
  if (!last) return;
  try {
    await writer.tell(channel, last, `pipe/${id}`);
  } catch (error) {
    // Then somebody else has ended it, and listeners have had the end.
    if (!(error instanceof SseError && error.code === 'CHANNEL_COMPLETED')) throw error;
  }
}
