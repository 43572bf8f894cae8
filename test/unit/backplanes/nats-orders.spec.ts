import { describe, expect, it } from '@jest/globals';
import { NatsOrders, type OrderStream } from '../../../src/sse/backplanes/nats/nats.orders.js';

/** A stream of which the test says what it has, and what its leader knows. */
class TestStream implements OrderStream {
  readonly messages = new Map<number, string>();
  /** What a leader answers that does not know of the newest; it does when it has taken a message. */
  behind: number | undefined;
  #last = 0;

  async publishOrMake(_subject: string, text: string) {
    this.behind = undefined;
    this.messages.set(++this.#last, text);
    return { stream: 'orders', seq: this.#last, duplicate: false };
  }

  /** It has only the first messages again. */
  comeBack(last: number): void {
    for (const seq of this.messages.keys()) if (seq > last) this.messages.delete(seq);
    this.#last = last;
  }

  async newest(subject: string) {
    const seq = this.behind ?? this.#last;
    const [newest] = await this.read(subject, seq);
    return newest?.seq === seq ? { ...newest, time: 0 } : undefined;
  }

  async read(_subject: string, from: number): Promise<{ seq: number; text: string }[]> {
    const all = Array.from(this.messages, ([seq, text]) => ({ seq, text }));
    return all.filter(({ seq }) => seq >= from && seq <= (this.behind ?? Infinity));
  }
}

/** A log with some orders, and their positions. */
async function logOf(...texts: string[]) {
  const stream = new TestStream();
  const orders = new NatsOrders(stream, 'orders');
  const positions: string[] = [];
  for (const text of texts) positions.push((await orders.add(text, undefined)).position);
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

  it('are not known where the stream has come back older', async () => {
    const { stream, after } = await logOf('a', 'b', 'c');
    stream.comeBack(1);
    expect([await after(2), await after(1)]).toEqual([undefined, undefined]);
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
