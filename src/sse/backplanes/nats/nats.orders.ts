import { randomBytes } from 'node:crypto';
import type { StoredMsg } from '@nats-io/jetstream';
import { ORDERS, type AddedOrder, type LoggedOrder, type OrderPosition } from '../common/cluster-link.js';

/** Messages that are read at a time. */
const PAGE = 50;

/** What the log needs of its stream, which holds the messages of one subject only. */
export interface OrderStream {
  /** @returns the message's sequence */
  publish(text: string, lastSequence?: number): Promise<number>;
  /** The message of a sequence, or the newest one; undefined if there is none, or no stream. */
  message(seq?: number): Promise<StoredMsg | undefined>;
}

/**
 * The log of orders in a stream of its own, in which a message goes by number and not by age: the newest always
 * stays. It is `<mark>\n<order>`, and a mark is random, so a log that has come back older shows.
 */
export class NatsOrders {
  /** Messages that the stream keeps. */
  static readonly limit = ORDERS;

  constructor(private readonly stream: OrderStream) {}

  async end(): Promise<OrderPosition> {
    const newest = await this.stream.message();
    if (newest) return read(newest).position;
    // The first message of all is no order.
    return this.add('', 0).catch(async (refusal: unknown) => {
      // Another instance may have been faster.
      const first = await this.stream.message();
      if (!first) throw refusal;
      return read(first).position;
    });
  }

  async add(text: string, lastSequence?: number): Promise<OrderPosition> {
    const mark = randomBytes(6).toString('base64url');
    const seq = await this.stream.publish(`${mark}\n${text}`, lastSequence);
    return positionOf(seq, mark);
  }

  /** @param known what the caller has read last: the one before it, if the numbers say so */
  async addAfter(text: string, known: OrderPosition | undefined): Promise<AddedOrder> {
    const position = await this.add(text);
    const isPrevious = known !== undefined && sequenceOf(known) === sequenceOf(position) - 1;
    return { position, previous: isPrevious ? known : undefined };
  }

  async orders(after?: OrderPosition): Promise<LoggedOrder[] | undefined> {
    const newest = await this.stream.message();
    if (after === undefined) return newest ? this.#all(newest.seq) : [];
    if (!newest) return undefined;
    if (read(newest).position === after) return [];
    const seq = sequenceOf(after);
    // A leader may answer before it has caught up. It takes a message only when it has.
    const last = newest.seq > seq ? newest.seq : sequenceOf(await this.add(''));
    const known = await this.stream.message(seq);
    if (!known || read(known).position !== after) return undefined;
    const orders = await this.#range(seq + 1, last);
    return orders.length === last - seq ? orders : undefined;
  }

  async #all(last: number): Promise<LoggedOrder[]> {
    const orders: LoggedOrder[] = [];
    // From the end on: where the log begins is not known.
    for (let end = last; end > 0; end -= PAGE) {
      const first = Math.max(1, end - PAGE + 1);
      const page = await this.#range(first, end);
      orders.unshift(...page);
      if (page.length < end - first + 1) break;
    }
    return orders;
  }

  /** Those that are there. */
  async #range(first: number, last: number): Promise<LoggedOrder[]> {
    const orders: LoggedOrder[] = [];
    for (let from = first; from <= last; from += PAGE) {
      const count = Math.min(PAGE, last - from + 1);
      const page = Array.from({ length: count }, (_, i) => this.stream.message(from + i));
      for (const message of await Promise.all(page)) if (message) orders.push(read(message));
    }
    return orders;
  }
}

const positionOf = (seq: number, mark: string): OrderPosition => `${seq} ${mark}`;

const sequenceOf = (position: OrderPosition): number => Number(position.split(' ', 1)[0]);

function read({ seq, data }: StoredMsg): LoggedOrder {
  const text = new TextDecoder().decode(data);
  const end = text.indexOf('\n');
  return { position: positionOf(seq, text.slice(0, end)), text: text.slice(end + 1) };
}
