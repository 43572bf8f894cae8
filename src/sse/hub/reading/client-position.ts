import { formatNamed, formatPosition, type Position } from '../../protocol/position.js';
import type { CursorHost } from './cursor.js';
import { cursorHandingOn } from './handing-on.js';
import type { Track } from './track.js';

/** An event's place in a log. */
interface DeliveredEvent {
  readonly channel: string;
  readonly epoch: string;
  readonly entry: { readonly offset: number };
}

const NONE: readonly Track[] = [];

/** Where a client is in the channels of its response, of which its ids are made. */
export class ClientPosition {
  /**
   * Whether channels are joined to the response while it goes on. Then its ids say which: they name every
   * channel, also a single one, and those without history.
   */
  isJoinable = false;
  /**
   * A response has few channels, most have one: an array is smaller than a map, and no slower. One that is
   * replaced has no room in reserve, and may be gone through while channels come and go.
   */
  #tracks: readonly Track[] = NONE;

  /** @param reader who reads for the response */
  constructor(private readonly reader: CursorHost) {}

  get size(): number {
    return this.#tracks.length;
  }

  get tracks(): readonly Track[] {
    return this.#tracks;
  }

  get names(): string[] {
    return this.#tracks
      .filter(({ isLeft, cursor }) => !isLeft && !cursor.isEnded)
      .map(({ cursor }) => cursor.channel.name);
  }

  /** Whether the response has ids of the hub. */
  get hasAny(): boolean {
    return this.isJoinable || this.#tracks.some(({ hasPosition }) => hasPosition);
  }

  of(channel: string): Track | undefined {
    for (const track of this.#tracks) if (track.cursor.channel.name === channel) return track;
    return undefined;
  }

  add(track: Track): void {
    this.#tracks = this.#tracks.concat(track);
  }

  delete(track: Track): void {
    this.#tracks = this.#tracks.filter((other) => other !== track);
  }

  /**
   * An event of the hub reached the client's connection. Answers whether it is of a channel that is read
   * for this response, and so has a part in the ids.
   */
  deliver({ channel, epoch, entry }: DeliveredEvent): boolean {
    const track = this.of(channel);
    if (!track?.hasPosition || track.cursor.log.epoch !== epoch) return false;
    track.delivered(entry.offset, cursorHandingOn()?.host !== this.reader);
    return true;
  }

  /** The channel with that epoch. */
  channelOf(epoch: string): string | undefined {
    const track = this.#tracks.find(({ cursor }) => cursor.started && cursor.log.epoch === epoch);
    return track?.cursor.channel.name;
  }

  /**
   * The id that names the client's present position; undefined where no channel has one, or a gap is to be
   * told first. A channel whose state the client waits for is left out: who comes back without a position
   * there gets a snapshot.
   */
  id(): string | undefined {
    const { isJoinable } = this;
    const positions: [string, Position | undefined][] = [];
    let isPartial = isJoinable;
    for (const { cursor, hasPosition, told } of this.#tracks) {
      const { name } = cursor.channel;
      if (!cursor.started) continue;
      if (!hasPosition) {
        if (isJoinable) positions.push([name, undefined]);
        continue;
      }
      if (told === undefined) {
        if (cursor.isMissing) return undefined;
        isPartial = true;
        if (isJoinable) positions.push([name, undefined]);
        continue;
      }
      positions.push([name, { epoch: cursor.log.epoch, offset: told }]);
    }
    const [first] = positions;
    if (!first) return isJoinable ? '' : undefined;
    if (positions.length === 1 && !isPartial) return first[1] && formatPosition(first[1]);
    return positions.map((named) => formatNamed(...named)).join('&');
  }

  /** See {@link Track.passHidden}. */
  passHidden(isComplete = false): boolean {
    let hasMoved = false;
    for (const track of this.#tracks) if (track.passHidden(isComplete)) hasMoved = true;
    return hasMoved;
  }
}
