import { seededRandom } from './random.js';

const TEXTS = 64;
const LEAST_LENGTH = 140;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789';

/**
 * What is published: event number `seq` is `{ seq, text }`, about 200 bytes of JSON, ASCII only. The
 * server makes them and the client checks them, both from the same seed.
 */
export class BenchEvents {
  #texts;

  constructor(seed) {
    const random = seededRandom(seed);
    const letter = () => LETTERS[Math.floor(random() * LETTERS.length)];
    const text = () => Array.from({ length: LEAST_LENGTH + Math.floor(random() * 60) }, letter).join('');
    this.#texts = Array.from({ length: TEXTS }, text);
  }

  /** The data of one event. */
  at(seq) {
    return { seq, text: this.#texts[seq % TEXTS] };
  }

  /** The data of events 0 to `count - 1`, as it stands behind `data: `. */
  lines(count) {
    return Array.from({ length: count }, (_, seq) => JSON.stringify(this.at(seq)));
  }
}
