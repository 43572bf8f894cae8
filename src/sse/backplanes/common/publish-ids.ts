import { PUBLISH_ID_MEMORY } from '../../log/backplane.js';
import type { Position } from '../../protocol/position.js';

/** The most ids that are remembered. Beyond them the oldest is forgotten before its time. */
export const MAX_PUBLISH_IDS = 100_000;

/** The positions of recent events with a `publishId`: a second attempt is not stored again. */
export class PublishIds {
  /** By channel and id, the oldest first. */
  readonly #known = new Map<string, { readonly position: Position; readonly at: number }>();

  find(channel: string, publishId: string, now: number): Position | undefined {
    const known = this.#known.get(publishIdKey(channel, publishId));
    return known && now - known.at < PUBLISH_ID_MEMORY ? known.position : undefined;
  }

  remember(channel: string, publishId: string, position: Position, now: number): void {
    const key = publishIdKey(channel, publishId);
    this.#known.delete(key); // so that it is the newest
    this.#known.set(key, { position, at: now });
    for (const [oldest, { at }] of this.#known) {
      if (this.#known.size <= MAX_PUBLISH_IDS && now - at < PUBLISH_ID_MEMORY) return;
      this.#known.delete(oldest);
    }
  }

  clear(): void {
    this.#known.clear();
  }
}

/** Neither a channel's name nor a publish id has control characters. */
export const publishIdKey = (channel: string, publishId: string): string => `${channel}\n${publishId}`;
