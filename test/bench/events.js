import { seededRandom } from './random.js';

/**
 * What each event is: random text, or an order of a shop, which resembles the others as events do that are worth
 * compressing.
 *
 * @typedef {object} Payload
 * @property {'text' | 'orders'} of
 * @property {number} bytes about so many of JSON
 */

/** As many differ as a compressor cannot remember. */
const DIFFERENT = { text: 64, orders: 1_024 };
const LETTERS = 'abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789';
const TITLES = ['Coffee beans, 1 kg', 'Filter papers', 'Hand grinder', 'Kettle 0.9 l', 'Milk jug'];
/** What JSON has around a text. */
const AROUND = 22;

/**
 * What is published: event number `seq` is an object that begins with `seq`, ASCII only. The server makes them and the
 * client checks them, both from the same seed.
 */
export class BenchEvents {
  #contents;

  /**
   * @param {number} seed
   * @param {Payload} [payload]
   */
  constructor(seed, { of, bytes } = { of: 'text', bytes: 200 }) {
    const content = { text: contentOfText, orders: contentOfOrder }[of];
    const random = seededRandom(seed);
    this.#contents = Array.from({ length: DIFFERENT[of] }, () => content(random, bytes));
  }

  /** The data of one event. */
  at(seq) {
    return { seq, ...this.#contents[seq % this.#contents.length] };
  }

  /** The data of events 0 to `count - 1`, as it stands behind `data: `. */
  lines(count) {
    return Array.from({ length: count }, (_, seq) => JSON.stringify(this.at(seq)));
  }
}

function contentOfText(random, bytes) {
  const length = (bytes - AROUND) * (0.85 + 0.3 * random());
  return { text: Array.from({ length }, () => LETTERS[Math.floor(random() * LETTERS.length)]).join('') };
}

function contentOfOrder(random, bytes) {
  const pick = (from) => from[Math.floor(random() * from.length)];
  const digits = (length) => Array.from({ length }, () => Math.floor(random() * 10)).join('');
  const item = () => ({
    sku: `SKU-${digits(6)}`,
    title: pick(TITLES),
    quantity: 1 + Math.floor(random() * 4),
    price: Number(`${digits(2)}.${digits(2)}`),
  });
  const order = {
    id: `o-${digits(8)}`,
    status: pick(['paid', 'packed', 'shipped', 'delivered']),
    customer: `c-${digits(5)}`,
    at: new Date(1_790_000_000_000 + Math.floor(random() * 1e9)).toISOString(),
    items: [item()],
  };
  while (JSON.stringify(order).length < bytes - 60) order.items.push(item());
  return order;
}
