/** Something that is done with a channel. */
export type Step = 'append' | 'follow' | 'stop' | 'wait';

/** Each as often as it is in here. */
const STEPS: readonly Step[] = [
  ...(['append', 'append', 'append', 'append', 'append', 'append'] as const),
  ...(['follow', 'follow', 'stop', 'wait', 'wait'] as const),
];

/** Five to sixty steps, of each seed others, and always the same of one. */
export function stepsOf(seed: number): Step[] {
  const next = random(seed);
  const count = 5 + Math.floor(next() * 56);
  return Array.from({ length: count }, () => STEPS[Math.floor(next() * STEPS.length)] as Step);
}

/** Numbers from 0 up to 1, spread well enough for this: a linear congruence, its high bits. */
function random(seed: number): () => number {
  let state = BigInt(seed) + 1n;
  return () => {
    state = BigInt.asUintN(64, state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
    return Number(state >> 32n) / 2 ** 32;
  };
}
