import { randomBytes } from 'node:crypto';
import { JetStreamApiCodes } from '@nats-io/jetstream';
import type { AddedOrder, LoggedOrder, OrderPosition } from '../common/cluster-link.js';
import { orUndefined, type StreamMessage } from './nats-stream.js';

/** Messages that are read at a time. */
const PAGE = 50;

type OrderMessage = Omit<StreamMessage, 'time'>;

/** A stream that holds the messages of one subject only. */
export interface OrderStream {
  publish(subject: string, text: string, options?: { expected?: number }): Promise<{ readonly seq: number }>;
  newest(subject: string): Promise<OrderMessage | undefined>;
  message(seq: number): Promise<OrderMessage | undefined>;
}

/**
 * The log of orders, in a stream of its own that keeps a number of messages and not an age: the newest always stays.
 * A message is `<mark>\n<order>`. The mark is random, so that a log that has come back older is not taken for the same.
 */
export class NatsOrders {
  constructor(
    private readonly stream: OrderStream,
    private readonly subject: string,
  ) {}

  async end(): Promise<OrderPosition> {
    const newest = await this.#newest();
    if (newest) return logged(newest).position;
    // The first message of all is no order.
    return this.add('', 0).catch(async (refusal: unknown) => {
      // Another instance may have been faster.
      const first = await this.#newest();
      if (!first) throw refusal;
      return logged(first).position;
    });
  }

  async add(text: string, expected?: number): Promise<OrderPosition> {
    const mark = randomBytes(6).toString('base64url');
    const options = expected === undefined ? {} : { expected };
    const { seq } = await this.stream.publish(this.subject, `${mark}\n${text}`, options);
    return positionOf(seq, mark);
  }

  /** @param known the position that the caller has read last: the one before it, if the sequences say so */
  async addAfter(text: string, known: OrderPosition | undefined): Promise<AddedOrder> {
    const position = await this.add(text);
    const isPrevious = known !== undefined && sequenceOf(known) === sequenceOf(position) - 1;
    return { position, previous: isPrevious ? known : undefined };
  }

  async read(after?: OrderPosition): Promise<LoggedOrder[] | undefined> {
    const newest = await this.#newest();
    if (after === undefined) return newest ? this.#all(newest.seq) : [];
    if (!newest) return undefined;
    if (logged(newest).position === after) return [];
    const seq = sequenceOf(after);
    // A leader may answer before it has caught up. It takes a message only when it has.
    const last = newest.seq > seq ? newest.seq : sequenceOf(await this.add(''));
    const known = await this.stream.message(seq);
    if (!known || logged(known).position !== after) return undefined;
    const orders = await this.#range(seq + 1, last);
    return orders.length === last - seq ? orders : undefined;
  }

  #newest(): Promise<OrderMessage | undefined> {
    return orUndefined(this.stream.newest(this.subject), JetStreamApiCodes.StreamNotFound);
  }

  /** Reads from the end on: where the log begins is not known. */
  async #all(last: number): Promise<LoggedOrder[]> {
    const orders: LoggedOrder[] = [];
    for (let end = last; end > 0; end -= PAGE) {
      const first = Math.max(1, end - PAGE + 1);
      const page = await this.#range(first, end);
      orders.unshift(...page);
      if (page.length < end - first + 1) break;
    }
    return orders;
  }

  /** The orders of a range of sequences that are there. */
  async #range(first: number, last: number): Promise<LoggedOrder[]> {
    const orders: LoggedOrder[] = [];
    for (let from = first; from <= last; from += PAGE) {
      const count = Math.min(PAGE, last - from + 1);
      const page = Array.from({ length: count }, (_, i) => this.stream.message(from + i));
      for (const message of await Promise.all(page)) if (message) orders.push(logged(message));
    }
    return orders;
  }
}

const positionOf = (seq: number, mark: string): OrderPosition => `${seq} ${mark}`;

const sequenceOf = (position: OrderPosition): number => Number(position.split(' ', 1)[0]);

function logged({ seq, text }: OrderMessage): LoggedOrder {
  const end = text.indexOf('\n');
  return { position: positionOf(seq, text.slice(0, end)), text: text.slice(end + 1) };
}
