import type { Msg } from '@nats-io/transport-node';
import { isSamePosition, type Position } from '../../protocol/position.js';
import { decodeEvent } from '../common/event-text.js';
import type { ReceivedEntry, Notice } from '../common/remote-logs.js';
import { warnOf, type Standing } from './channel-log.js';
import { decodeMessage, lastSequenceOf, positionOf, type Kept } from './message.js';

/** What this process hears of one channel, and what that says of what it publishes itself. */
export class Hearing {
  /** Is told of what happens to the channel, while it is followed. */
  #hear: ((notice: Notice) => void) | undefined;
  /** The log that is followed, once it was read. */
  #followed: { after: Position | undefined } | undefined;
  /** The newest message that ended a log of the channel, so far as was heard, and which log that was. */
  #end: Pick<Kept, 'offset' | 'after'> | undefined;
  /** The newest purge that was heard: its message's sequence, and the event that the next one follows on. */
  #purge = { seq: 0, offset: 0 };

  get isFollowed(): boolean {
    return this.#hear !== undefined;
  }

  /** The events of the channel are heard from now on. */
  follow(hear: (notice: Notice) => void): void {
    this.#hear = hear;
    this.#followed = undefined;
  }

  unfollow(): void {
    this.#hear = undefined;
  }

  /** The log was read by who follows it. */
  wasRead({ kind, after, newest }: Standing): void {
    this.#followed = { after };
    if (kind === 'completed' && newest.end > (this.#end?.offset ?? 0))
      this.#end = { offset: newest.end, after };
  }

  /** An event of the channel, or a purge, was stored. */
  heard(seq: number, message: Msg): void {
    const hear = this.#hear;
    if (!hear) return;
    const kept = decodeMessage(seq, message.string());
    if (!kept) return warnOf(seq, message.subject);
    const followed = this.#followed;
    if (kept.kind === 'purge' && kept.known) {
      this.#purge = { seq, offset: kept.known.offset };
      hear({ kind: 'purged', position: kept.known });
    } else if (!followed || !isSamePosition(kept.after, followed.after) || this.isTooLate(kept)) {
      // Of another log, or of none: it is not for one who hears to tell which.
      hear({ kind: 'changed' });
    } else {
      const last = lastSequenceOf(message);
      hear({ kind: 'entry', position: positionOf(kept), entry: () => this.#entry(kept, last) });
    }
  }

  /** A log of the channel was ended. */
  ended(end: Kept): void {
    if (end.offset <= (this.#end?.offset ?? 0)) return;
    this.#end = end;
    this.#hear?.({ kind: 'changed' });
  }

  /** Sequences may be those of another stream now. */
  forget(): void {
    this.#end = undefined;
    this.#purge = { seq: 0, offset: 0 };
  }

  /** Whether an event came after the end of its log, and so is none. */
  isTooLate({ offset, after }: Pick<Kept, 'offset' | 'after'>): boolean {
    return this.#end !== undefined && offset > this.#end.offset && isSamePosition(after, this.#end.after);
  }

  /** An entry as it is heard. The one before it may be gone on the server: then its publisher knew it. */
  #entry({ offset, mark, at, text, kind, known }: Kept, last: number): ReceivedEntry | undefined {
    const event = decodeEvent(text);
    if (!event) return undefined;
    const before = last === this.#purge.seq ? this.#purge.offset : last;
    const previous = kind === 'next' ? (known?.offset ?? 0) : Math.max(before, known?.offset ?? 0);
    return { offset, mark, at, event, previous, known };
  }
}
