/** Size of one step, and strength of the pull back, as fractions of the start price. */
const STEP = 0.01;
const PULL = 0.01;

/**
 * A random walk of prices around their start. The same seed gives the same walk.
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

/** Tommy Ettinger's generator, because `Math.random()` cannot be seeded. Returns numbers from 0 to below 1. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
