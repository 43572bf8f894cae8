import { describe, expect, it } from '@jest/globals';
import { NatsOrders, type OrderStream } from '../../../src/sse/backplanes/nats/nats.orders.js';

/** A stream of which the test says what it has, and what its leader knows. */
class TestStream implements OrderStream {
  readonly messages = new Map<number, string>();
  /** What a leader answers that does not know of the newest; it does when it has taken a message. */
  behind: number | undefined;
  #last = 0;

  async publish(_subject: string, text: string): Promise<{ seq: number }> {
    this.behind = undefined;
    this.messages.set(++this.#last, text);
    return { seq: this.#last };
  }

  newest(): Promise<{ seq: number; text: string } | undefined> {
    return this.message(this.behind ?? this.#last);
  }

  async message(seq: number): Promise<{ seq: number; text: string } | undefined> {
    const text = seq > (this.behind ?? Infinity) ? undefined : this.messages.get(seq);
    return text === undefined ? undefined : { seq, text };
  }
}

/** A log with some orders, and their positions. */
async function logOf(...texts: string[]) {
  const stream = new TestStream();
  const orders = new NatsOrders(stream, 'orders');
  const positions: string[] = [];
  for (const text of texts) positions.push(await orders.add(text));
  const after = async (index: number): Promise<string[] | undefined> =>
    (await orders.read(positions[index]))?.map(({ text }) => text);
  return { stream, after };
}

describe('orders in NATS after the one that was read last', () => {
  it('are those that the stream has, however many', async () => {
    const texts = Array.from({ length: 120 }, (_, i) => `${i}`);
    const { after } = await logOf(...texts);
    for (const index of [0, 60, 119]) expect(await after(index)).toEqual(texts.slice(index + 1));
  });

  it('are not known where the stream has another at its place, or has let go of it', async () => {
    const { stream, after } = await logOf('a', 'b', 'c');
    stream.messages.set(2, 'another\nb');
    expect([await after(0), await after(1), await after(2)]).toEqual([['b', 'c'], undefined, []]);
    stream.messages.delete(1);
    expect(await after(0)).toBeUndefined();
  });

  it('are not known where one of them is missing', async () => {
    const { stream, after } = await logOf('a', 'b', 'c');
    stream.messages.delete(2);
    expect(await after(0)).toBeUndefined();
  });

  it('are asked for again of a leader that does not know that one, when it knows all', async () => {
    const { stream, after } = await logOf('a', 'b', 'c');
    stream.behind = 1;
    // What it is made to take is no order.
    expect(await after(1)).toEqual(['c', '']);
  });
});
