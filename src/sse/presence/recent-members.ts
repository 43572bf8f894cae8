import { keyOf, type Member } from './member.js';
import type { Entry } from './messages.js';

/** The most that are kept; the oldest are forgotten first. */
const MOST = 10_000;

/** Members who have gone from this instance, for a while. */
export class RecentMembers {
  /** By {@link keyOf}, the oldest first; with the time: `performance.now()`. */
  readonly #all = new Map<string, { readonly entry: Entry; readonly at: number }>();

  /** @param time milliseconds for which they are kept */
  constructor(private readonly time: number) {}

  add(channel: string, member: Member): void {
    const key = keyOf(channel, member.user);
    this.#all.delete(key);
    this.#all.set(key, { entry: [channel, member], at: performance.now() });
    this.forgetOld();
  }

  /** Those who have gone since a moment: `performance.now()`. */
  since(moment: number): Entry[] {
    this.forgetOld();
    return [...this.#all.values()].flatMap(({ entry, at }) => (at >= moment ? [entry] : []));
  }

  forgetOld(): void {
    const oldest = performance.now() - this.time;
    for (const [key, { at }] of this.#all) {
      if (at >= oldest && this.#all.size <= MOST) break;
      this.#all.delete(key);
    }
  }
}
