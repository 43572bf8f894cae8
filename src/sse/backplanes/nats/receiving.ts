import type { Msg } from '@nats-io/transport-node';
import { isSamePosition, type Position } from '../../protocol/position.js';
import { decodeEvent } from '../common/event-text.js';
import type { ReceivedEntry, Notice } from '../common/remote-logs.js';
import { warnOf, type ChannelState } from './channel-log.js';
import { decodeMessage, lastSequenceOf, positionOf, sequenceOf, type StoredMessage } from './layout.js';

/**
 * Turns the republished messages of one channel into notices for its local copy, and remembers the newest end of a
 * log: an event that was stored after it belongs to no log.
 *
 * Nothing here decides which log the channel has. A message of any other log than the one that was read is a
 * `changed`, which makes the copy read.
 */
export class Receiving {
  #notify: ((notice: Notice) => void) | undefined;
  /** The log that is followed, once it was read. */
  #followed: { after: Position | undefined } | undefined;
  /** The newest end that was received, and which log it ended. */
  #end: Pick<StoredMessage, 'offset' | 'after'> | undefined;
  /** The newest purge that was received: its message's sequence, and the event that the next one follows on. */
  #purge = { seq: 0, offset: 0 };

  get isFollowed(): boolean {
    return this.#notify !== undefined;
  }

  follow(notify: (notice: Notice) => void): void {
    this.#notify = notify;
    this.#followed = undefined;
  }

  unfollow(): void {
    this.#notify = undefined;
  }

  /** The local copy has read the log. */
  wasRead({ kind, after, newest }: ChannelState): void {
    this.#followed = { after };
    if (kind === 'completed' && newest.end > (this.#end?.offset ?? 0))
      this.#end = { offset: newest.end, after };
  }

  /** An event of the channel, or a purge, was stored. */
  received(republished: Msg): void {
    const notify = this.#notify;
    const seq = sequenceOf(republished);
    if (!notify || seq === undefined) return;
    const message = decodeMessage({ seq, text: republished.string() });
    if (!message) return warnOf(seq, republished.subject);
    const followed = this.#followed;
    if (message.kind === 'purge' && message.known) {
      this.#purge = { seq, offset: message.known.offset };
      notify({ kind: 'purged', position: message.known });
    } else if (!followed || !isSamePosition(message.after, followed.after) || this.isTooLate(message)) {
      notify({ kind: 'changed' });
    } else {
      const last = lastSequenceOf(republished);
      notify({ kind: 'entry', position: positionOf(message), entry: () => this.#entry(message, last) });
    }
  }

  /** A log of the channel was ended. */
  ended(end: StoredMessage): void {
    if (end.offset <= (this.#end?.offset ?? 0)) return;
    this.#end = end;
    this.#notify?.({ kind: 'changed' });
  }

  /** Sequences may be those of another stream now. */
  forget(): void {
    this.#end = undefined;
    this.#purge = { seq: 0, offset: 0 };
  }

  /** An event that was stored after the end of its log belongs to none. */
  isTooLate({ offset, after }: Pick<StoredMessage, 'offset' | 'after'>): boolean {
    return this.#end !== undefined && offset > this.#end.offset && isSamePosition(after, this.#end.after);
  }

  /** @param last the sequence before it on the subject, or 0 if the stream had deleted that: then `known` says more */
  #entry({ offset, mark, at, text, kind, known }: StoredMessage, last: number): ReceivedEntry | undefined {
    const event = decodeEvent(text);
    if (!event) return undefined;
    const before = last === this.#purge.seq ? this.#purge.offset : last;
    const previous = kind === 'next' ? (known?.offset ?? 0) : Math.max(before, known?.offset ?? 0);
    return { offset, mark, at, event, previous, known };
  }
}
