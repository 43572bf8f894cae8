import { formatVector, namedId } from '../protocol/position.js';
import { ClientPosition, type Kept, type Place } from './client-position.js';
import type { Cursor } from './cursor.js';

/** Positions that are kept of channels that are not read. The client keeps them, too. */
const MOST_KEPT = 500;

/**
 * Ids for a client that keeps a position for each channel, and merges each id into them. They always name their channel:
 *
 * - that of an event, a gap or a preface is the position in its own channel, or says that this has no history;
 * - that of a position event has all channels whose position the client was not told: those that have begun, and those that
 *   have moved without an event.
 *
 * A channel that waits for its gap or its preface is in no id before: the client's own position still says everything.
 */
export class OwnIds extends ClientPosition {
  get form(): 'own' {
    return 'own';
  }

  get hasHubIds(): true {
    return true;
  }

  /** Batches have bare ids. A stream with own ids has many channels, as a rule, and then is not fed with batches anyway. */
  hasBareIds(): false {
    return false;
  }

  /** By its id the client learns of which channel an event is, also where there is no position. */
  gives(): true {
    return true;
  }

  idOf(place: Place, which: 'earlier' | 'last'): string | undefined {
    // Without moving: the client gets all values of an event again if it is cut off before the last.
    if (which === 'last') this.give(place);
    const cursor = this.of(place.channel);
    return cursor ? idIn(cursor) : this.#idOfLeft(place.channel);
  }

  idAt(cursor: Cursor): string | undefined {
    if (cursor.given) this.kept?.delete(cursor.channel.name);
    return idIn(cursor);
  }

  takeId(): string | undefined {
    this.hasMoved = false;
    const ids: [string, string | undefined][] = [];
    for (const cursor of this.cursors) {
      if (!cursor.hasUnsentPosition) continue;
      const { channel, given } = cursor;
      cursor.ownPositionSent();
      this.kept?.delete(channel.name);
      ids.push([channel.name, channel.hasHistory && given ? channel.idOf(given) : undefined]);
    }
    return ids.length === 0 ? undefined : formatVector(ids);
  }

  #idOfLeft(channel: string): string | undefined {
    const lastEventId = this.kept?.get(channel)?.lastEventId;
    return lastEventId?.kind === 'bare' ? namedId(encodeURIComponent(channel), lastEventId.text) : undefined;
  }

  /** The channel that was left longest ago makes room. */
  protected makeRoom(kept: Map<string, Kept>): void {
    if (kept.size <= MOST_KEPT) return;
    for (const [channel, { read }] of kept) {
      if (read === undefined) continue; // it came with the client, and is not read yet
      kept.delete(channel);
      return;
    }
  }
}

/** The id of the client's position in a channel; undefined where it is not known before a gap or a preface. */
function idIn(cursor: Cursor): string | undefined {
  const { channel, given, read } = cursor;
  if (channel.hasHistory && !given) return undefined;
  cursor.ownPositionSent();
  return channel.namedId(given ?? read);
}
