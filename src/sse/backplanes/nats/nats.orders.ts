import { randomBytes } from 'node:crypto';
import type { AddedOrder, LoggedOrder, OrderLog, OrderPosition } from '../common/cluster-link.js';
import { orNoStream, type NatsStream, type StreamMessage } from './nats-stream.js';

/** A stream that holds the messages of one subject only. */
export type OrderStream = Pick<NatsStream, 'publishOrMake' | 'newest' | 'read'>;

/**
 * The log of orders, in a stream of its own that keeps a number of messages and not an age: the newest always stays.
 * A message is `<mark>\n<order>`. The mark is random, so that a log that has come back older is not taken for the same.
 */
export class NatsOrders implements OrderLog {
  constructor(
    private readonly stream: OrderStream,
    private readonly subject: string,
  ) {}

  async end(): Promise<OrderPosition> {
    const newest = await this.#newest();
    return newest ? logged(newest).position : this.#add('');
  }

  /** The position that was read last is the one before it, if the sequences say so. */
  async add(text: string, known: OrderPosition | undefined): Promise<AddedOrder> {
    const position = await this.#add(text);
    const isPrevious = known !== undefined && sequenceOf(known) === sequenceOf(position) - 1;
    return { position, previous: isPrevious ? known : undefined };
  }

  async read(after?: OrderPosition): Promise<LoggedOrder[] | undefined> {
    const newest = await this.#newest();
    if (after === undefined) return newest ? this.#range(1, newest.seq) : [];
    if (!newest) return undefined;
    if (logged(newest).position === after) return [];
    const seq = sequenceOf(after);
    // A leader may answer before it has caught up. It takes a message only when it has.
    const last = newest.seq > seq ? newest.seq : sequenceOf(await this.#add(''));
    if (last <= seq) return undefined;
    const [known, ...orders] = await this.#range(seq, last);
    const isWhole = orders.every(({ position }, i) => sequenceOf(position) === seq + 1 + i);
    return known?.position === after && isWhole ? orders : undefined;
  }

  #newest(): Promise<StreamMessage | undefined> {
    return orNoStream(this.stream.newest(this.subject));
  }

  /** Adds an order. An empty one only says where the log ends, and that the leader has caught up. */
  async #add(text: string): Promise<OrderPosition> {
    const mark = randomBytes(6).toString('base64url');
    const { seq } = await this.stream.publishOrMake(this.subject, `${mark}\n${text}`);
    return positionOf(seq, mark);
  }

  async #range(first: number, last: number): Promise<LoggedOrder[]> {
    return (await this.stream.read(this.subject, first, last)).map(logged);
  }
}

const positionOf = (seq: number, mark: string): OrderPosition => `${seq} ${mark}`;

const sequenceOf = (position: OrderPosition): number => Number(position.split(' ', 1)[0]);

function logged({ seq, text }: StreamMessage): LoggedOrder {
  const end = text.indexOf('\n');
  return { position: positionOf(seq, text.slice(0, end)), text: text.slice(end + 1) };
}
