import { originOf } from '../hub/published-event.js';
import type { SseEvent } from '../hub/sse-event.js';
import type { StreamReader } from '../hub/reading/stream-reader.js';
import { idLine } from '../protocol/event-stream.js';
import { hasSeen, parsePosition, type LastEventId } from '../protocol/position.js';
import { plainEvent } from './plain-event.js';

/** A value as it goes out, and whether it came without regard to what the client can take. */
export interface OutgoingText {
  readonly text: string;
  readonly isUnpaced: boolean;
}

/**
 * Makes the text of what an Observable emits. Events of the hub have theirs already; the id is the
 * response's own, for it names the position in every channel that it streams.
 */
export class EventText {
  #number = 0;

  constructor(
    private readonly reader: StreamReader,
    private readonly lastEventId: LastEventId,
    private readonly numbered: boolean,
  ) {}

  of(value: unknown): OutgoingText {
    const isUnpaced = !this.reader.isPaced;
    if (this.reader.isForAnother) return { text: '', isUnpaced };
    const origin = typeof value === 'object' && value !== null ? originOf(value) : undefined;
    if (!origin) return { text: this.#made(value), isUnpaced };
    const { body } = origin.entry.event;
    if (this.reader.position.deliver(origin)) return { text: this.#withPosition(body), isUnpaced };
    if (!this.reader.position.of(origin.channel)) {
      this.reader.disownOther(origin.channel);
      // A plain source does not begin where this client is.
      if (hasSeen(this.lastEventId, { epoch: origin.epoch, offset: origin.entry.offset }))
        return { text: '', isUnpaced };
    }
    return { text: this.#withOwnId((value as SseEvent).id, body), isUnpaced };
  }

  /** What an operator, or another source, has made. One of a channel's events keeps its place if it kept its id. */
  #made(value: unknown): string {
    const { id, body, isComment } = plainEvent(value);
    const position = id === undefined ? undefined : parsePosition(id);
    const channel = position && this.reader.position.channelOf(position.epoch);
    if (
      channel !== undefined &&
      this.reader.position.deliver({
        channel,
        epoch: position?.epoch as string,
        entry: { offset: position?.offset as number },
      })
    ) {
      return this.#withPosition(body);
    }
    if (id === undefined && this.numbered && !this.reader.isUsed && !isComment)
      return idLine(String(++this.#number)) + body;
    return this.#withOwnId(id, body);
  }

  #withPosition(body: string): string {
    const id = this.reader.position.id();
    return id === undefined ? body : idLine(id) + body;
  }

  /** An id that is not the hub's would take the place of the client's positions, so it goes where there are none. */
  #withOwnId(id: string | undefined, body: string): string {
    return id === undefined || this.reader.position.hasAny ? body : idLine(id) + body;
  }
}
