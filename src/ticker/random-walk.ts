/** How far a price may move in one step, and how strongly it is drawn back, as parts of where it started. */
const STEP = 0.01;
const PULL = 0.01;

/**
 * Prices that wander about where they started. The same seed gives the same walk.
 *
 * @returns a function that takes a step and gives the price, in whole cents.
 */
export function randomWalk(start: number, seed: number): () => number {
  const random = mulberry32(seed);
  let price = start;
  return () => {
    price += (random() * 2 - 1) * STEP * start + PULL * (start - price);
    return Math.round(price * 100) / 100;
  };
}

/** Tommy Ettinger's generator: four lines, and `Math.random()` cannot be seeded. Numbers from 0 to below 1. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
