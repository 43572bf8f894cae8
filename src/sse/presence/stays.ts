import type { Stay } from './member.js';

/** Who is in which channel. Nothing is kept of a channel without anybody. */
export class Stays {
  readonly #channels = new Map<string, Map<string, Stay>>();

  get(channel: string, user: string): Stay | undefined {
    return this.#channels.get(channel)?.get(user);
  }

  set(channel: string, stay: Stay): void {
    const stays = this.#channels.get(channel);
    if (stays) stays.set(stay.user, stay);
    else this.#channels.set(channel, new Map([[stay.user, stay]]));
  }

  delete(channel: string, user: string): void {
    const stays = this.#channels.get(channel);
    stays?.delete(user);
    if (stays?.size === 0) this.#channels.delete(channel);
  }

  countIn(channel: string): number {
    return this.#channels.get(channel)?.size ?? 0;
  }

  in(channel: string): Iterable<Stay> {
    return this.#channels.get(channel)?.values() ?? [];
  }

  *[Symbol.iterator](): Iterator<readonly [channel: string, stay: Stay]> {
    for (const [channel, stays] of this.#channels) for (const stay of stays.values()) yield [channel, stay];
  }
}
