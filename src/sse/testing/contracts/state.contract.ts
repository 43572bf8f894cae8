import type { BackplaneState, SseBackplane } from '../../log/backplane.js';
import type { MakeChannel } from './channel-under-test.js';
import { eventually } from './eventually.js';
import type { TestGlobals } from './test-globals.js';

/** A backplane whose way to its server can be cut. */
export interface CuttableBackplane {
  readonly backplane: SseBackplane;
  cutOff(): void;
  restore(): void;
}

const kindsOf = (states: readonly BackplaneState[]): string[] => states.map(({ kind }) => kind);

/** The promises of `state` and `onStateChange`. `made` gives the backplane of the present test. */
export function describeState(
  { describe, expect, it }: TestGlobals,
  make: MakeChannel,
  made: () => { readonly backplane: SseBackplane },
  can: { readonly beCutOff: boolean },
): void {
  describe('state', () => {
    it('is ready, and closed as soon as the backplane is told to close, of which nobody is told', async () => {
      const { backplane } = made();
      const told: BackplaneState[] = [];
      backplane.onStateChange?.((state) => told.push(state));
      await make().append();
      expect(backplane.state()).toEqual({ kind: 'ready' });
      const closed = backplane.close();
      expect(backplane.state()).toEqual({ kind: 'closed' });
      await closed;
      expect([backplane.state(), told]).toEqual([{ kind: 'closed' }, []]);
    });

    if (!can.beCutOff) return;

    it('is away while it is cut off, and ready when each followed log has all events', async () => {
      const { backplane, cutOff, restore } = made() as CuttableBackplane;
      const { append, listener } = make();
      const follower = await listener();
      const told: BackplaneState[] = [];
      backplane.onStateChange?.((state) => told.push(state));
      const cutOffAt = performance.now();
      cutOff();
      await eventually(() => backplane.state().kind === 'away');
      const awayAt = performance.now();
      expect(told).toEqual([backplane.state()]);
      const event = append();
      restore();
      await eventually(() => backplane.state().kind === 'ready');
      expect(follower.log.has(await event)).toBe(true);
      const [away, ...later] = told;
      expect(kindsOf(later)).toContain('behind');
      expect(later.at(-1)).toEqual({ kind: 'ready' });
      for (const state of [away!, ...later.filter(({ kind }) => kind === 'behind')]) {
        const { since } = state as { since: number };
        expect(since).toBeGreaterThanOrEqual(cutOffAt);
        expect(since).toBeLessThan(awayAt);
      }
    });

    it('is told to those who listen, until they do so no more', async () => {
      const { backplane, cutOff, restore } = made() as CuttableBackplane;
      const stays: BackplaneState[] = [];
      const leaves: BackplaneState[] = [];
      backplane.onStateChange!((state) => stays.push(state));
      const leave = backplane.onStateChange!((state) => leaves.push(state));
      cutOff();
      await eventually(() => stays.length === 1);
      leave();
      restore();
      await eventually(() => backplane.state().kind === 'ready');
      expect([kindsOf(leaves), stays.at(-1)]).toEqual([['away'], { kind: 'ready' }]);
    });
  });
}
