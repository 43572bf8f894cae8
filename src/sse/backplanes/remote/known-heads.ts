import type { Position } from '../../protocol/position.js';

/** Channels that are remembered; beyond, the one that was published to longest ago is forgotten. */
const MAX_CHANNELS = 10_000;

/**
 * The newest positions that this process has seen of channels which it may not follow: a server whose
 * log does not reach up to one has lost events, and must not give their ids away again.
 */
export class KnownHeads {
  readonly #heads = new Map<string, Position>();

  get(channel: string): Position | undefined {
    return this.#heads.get(channel);
  }

  /** Of two answers that overtook each other the later position counts. */
  saw(channel: string, position: Position): void {
    const known = this.#heads.get(channel);
    this.#heads.delete(channel);
    const isOlder = known?.epoch === position.epoch && known.offset > position.offset;
    this.#heads.set(channel, isOlder ? known : position);
    if (this.#heads.size <= MAX_CHANNELS) return;
    const [oldest] = this.#heads.keys();
    this.#heads.delete(oldest as string);
  }

  clear(): void {
    this.#heads.clear();
  }
}
