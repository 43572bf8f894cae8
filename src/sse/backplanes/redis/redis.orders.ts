import { randomInt } from 'node:crypto';
import type { RedisConnection } from './redis.connection.js';
import { ALLOW_OOM } from './redis.scripts.js';
import {
  ORDERS,
  type AddedOrder,
  type LoggedOrder,
  type OrderLog,
  type OrderPosition,
} from '../common/cluster-link.js';

type StreamEntry = [id: string, fields: [name: string, text: string]];

/** The most entries of one answer. */
const PAGE = 1_000;

/** Milliseconds after which a log expires that nobody uses. A call puts that off when half of it is over. */
const IDLE = 24 * 60 * 60_000;

/*
 * The log is a Stream. An id is `<offset>-<mark>`. The mark is random: a log that has come back older is recognised by
 * it. The newest entry always stays. The very first one, at offset 0, is no order.
 */
const HEAD = `${ALLOW_OOM}
local LOG, BIRTH = KEYS[1], ARGV[1]
local function last()
  local newest = redis.call('XREVRANGE', LOG, '+', '-', 'COUNT', 1)[1]
  if newest then return newest[1] end
  redis.call('DEL', LOG)
  return redis.call('XADD', LOG, '0-' .. BIRTH, 'o', '')
end
local function keep()
  if redis.call('PTTL', LOG) < ${IDLE / 2} then redis.call('PEXPIRE', LOG, ${IDLE}) end
end
`;

const END = `${HEAD}
local id = last()
keep()
return id`;

/** ARGV 2: the mark, 3: the order. */
const ADD = `${HEAD}
local previous = last()
local offset = tonumber(string.match(previous, '^%d+')) + 1
local id = redis.call('XADD', LOG, 'MAXLEN', ${ORDERS}, string.format('%.0f', offset) .. '-' .. ARGV[2], 'o', ARGV[3])
keep()
return { id, previous }`;

/** ARGV 2: the id to read after, which must be there; empty for all. Only HEAD needs ARGV 1. */
const READ = `${HEAD}
local first = '-'
if ARGV[2] ~= '' then
  if #redis.call('XRANGE', LOG, ARGV[2], ARGV[2]) == 0 then return false end
  first = '(' .. ARGV[2]
  keep()
end
return redis.call('XRANGE', LOG, first, '+', 'COUNT', ${PAGE})`;

/** The log of orders in Redis. */
export class RedisOrders implements OrderLog {
  constructor(private readonly connection: RedisConnection) {}

  async end(): Promise<OrderPosition> {
    return String(await this.#run(END, newNumber()));
  }

  async add(text: string): Promise<AddedOrder> {
    const [position, previous] = (await this.#run(ADD, newNumber(), newNumber(), text)) as [string, string];
    return { position, previous };
  }

  async read(after?: OrderPosition): Promise<LoggedOrder[] | undefined> {
    const orders: LoggedOrder[] = [];
    for (let from = after; ; from = orders.at(-1)?.position) {
      const page = (await this.#run(READ, newNumber(), from ?? '')) as StreamEntry[] | null;
      if (!page) return undefined;
      for (const [position, [, text]] of page) orders.push({ position, text });
      if (page.length < PAGE) return orders;
    }
  }

  #run(script: string, ...args: string[]): Promise<unknown> {
    return this.connection.eval(script, [`${this.connection.prefix}:orders`], args);
  }
}

/** A number that scripts can have in a Stream's id without loss. */
const newNumber = (): string => String(randomInt(1, 2 ** 48 - 1));
