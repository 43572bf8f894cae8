import type { Position } from '../../protocol/position.js';

/** Channels that are remembered; beyond, the one that was published to longest ago is forgotten. */
const MAX_CHANNELS = 10_000;

/**
 * The newest positions that this process has seen of channels which it may not follow: a server whose
 * log does not reach up to one has lost events, and must not give their ids away again.
 */
export class KnownHeads {
  readonly #heads = new Map<string, Position>();

  /** The newest of a channel, also counting what a mirror has of it. */
  get(channel: string, mirrored?: Position): Position | undefined {
    return newer(mirrored, this.#heads.get(channel));
  }

  /** An answer was about this position. */
  saw(channel: string, position: Position): void {
    const head = newer(this.#heads.get(channel), position);
    this.#heads.delete(channel);
    this.#heads.set(channel, head ?? position);
    if (this.#heads.size <= MAX_CHANNELS) return;
    const [oldest] = this.#heads.keys();
    this.#heads.delete(oldest as string);
  }

  clear(): void {
    this.#heads.clear();
  }
}

/** Answers may overtake each other within an epoch, and the epoch that was heard of last counts. */
function newer(first: Position | undefined, last: Position | undefined): Position | undefined {
  if (!first || !last) return first ?? last;
  return first.epoch === last.epoch && first.offset > last.offset ? first : last;
}
