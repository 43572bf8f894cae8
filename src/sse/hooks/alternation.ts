/**
 * Keeps who is told of something in step with what is so, where being told takes time: of each key `on` and
 * `off` by turns, the next when the one before is done, and never in the turn in which it came to be. What
 * has changed back meanwhile is not told, so of each key at most one waits.
 */
export class Alternation {
  /** What is so, of the keys of which something is being told. */
  readonly #busy = new Map<string, { isOn: boolean }>();

  /** @param tell never rejects */
  constructor(private readonly tell: (key: string, isOn: boolean) => Promise<void>) {}

  /** To be called when it changes: on first, then off, then on. */
  set(key: string, isOn: boolean): void {
    const state = this.#busy.get(key);
    if (state) state.isOn = isOn;
    else void this.#tellWhile(key, { isOn });
  }

  async #tellWhile(key: string, state: { isOn: boolean }): Promise<void> {
    let told = !state.isOn;
    this.#busy.set(key, state);
    await Promise.resolve();
    while (state.isOn !== told) {
      told = state.isOn;
      await this.tell(key, told);
    }
    this.#busy.delete(key);
  }
}
