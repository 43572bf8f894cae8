import { AWAY_TIME } from '../../hub/instances/cluster.js';
import {
  ALIVE,
  type AddedOrder,
  type ClusterLink,
  type LinkEvents,
  type LoggedOrder,
  type Members,
  type OrderPosition,
} from '../remote/cluster-link.js';
import { RedisOrders } from './redis.orders.js';

/** What is used of a client of the package `redis`, whatever modules and scripts it was made with. */
interface Client {
  readonly isReady: boolean;
  readonly options: { readonly database?: number | undefined };
  on(event: 'ready', listener: () => void): unknown;
  off(event: 'ready', listener: () => void): unknown;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  info(section: string): Promise<unknown>;
  publish(channel: string, text: string): Promise<unknown>;
  subscribe(channel: string, listener: (text: string) => void): Promise<unknown>;
  unsubscribe(channel: string, listener: (text: string) => void): Promise<unknown>;
  zRem(key: string, member: string): Promise<unknown>;
}

/** They run also when the memory is full, as it is now that orders are given to get out of that. */
const ALLOW_OOM = '#!lua flags=allow-oom';

const HOLD = `${ALLOW_OOM}
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;

const RELEASE = `${ALLOW_OOM}
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`;

/** The server's clock, in milliseconds: those of the instances may differ. */
const NOW = `${ALLOW_OOM}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

/** An instance's score is the time until which it is there. It is remembered for longer, as being away. */
const ENROL = `${NOW}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ${AWAY_TIME})
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ${AWAY_TIME})`;

const MEMBERS = `${NOW}
local there, away = string.format('%.0f', now), string.format('%.0f', now - ${AWAY_TIME})
return {
  redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. there, '+inf'),
  redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. away, there)
}`;

const TIME = `${NOW}
return now`;

/** What Redis does for a cluster: leases are keys that expire, messages go by pub/sub. */
export class RedisClusterLink implements ClusterLink {
  readonly #topic: string;
  readonly #members: string;
  readonly #orders: RedisOrders;
  #heard: ((text: string) => void) | undefined;
  #reconnected: (() => void) | undefined;
  /** When those may ask for a lease who do not hold it: `performance.now()`. */
  #opensAt = Promise.resolve(0);

  constructor(
    private readonly client: Client,
    private readonly subscriber: Client,
    private readonly prefix: string,
  ) {
    // Pub/sub knows nothing of databases.
    this.#topic = `${prefix}:cluster:${client.options.database ?? 0}`;
    this.#members = `${prefix}:instances`;
    this.#orders = new RedisOrders((script, ...args) => {
      this.#refuseAway();
      return this.#run(script, `${prefix}:orders`, ...args);
    });
  }

  async open(events: LinkEvents): Promise<void> {
    this.#heard = (text) => events.heard(text);
    this.#reconnected = () => {
      this.#opensAt = this.#opening();
      events.reconnected();
    };
    this.client.on('ready', this.#reconnected);
    this.#opensAt = this.#opening();
    await this.subscriber.subscribe(this.#topic, this.#heard);
  }

  async send(text: string): Promise<void> {
    this.#refuseAway();
    await this.client.publish(this.#topic, text);
  }

  async hold(name: string, token: string, isHeld: boolean): Promise<boolean> {
    this.#refuseAway();
    if (!isHeld && performance.now() < (await this.#opensAt)) return false;
    return (await this.#run(HOLD, this.#lease(name), token, String(ALIVE))) === 1;
  }

  async release(name: string, token: string): Promise<void> {
    this.#refuseAway();
    await this.#run(RELEASE, this.#lease(name), token);
  }

  async enrol(instance: string): Promise<void> {
    this.#refuseAway();
    await this.#run(ENROL, this.#members, instance, String(ALIVE));
  }

  async withdraw(instance: string): Promise<void> {
    this.#refuseAway();
    await this.client.zRem(this.#members, instance);
  }

  async members(): Promise<Members> {
    this.#refuseAway();
    const [there, away] = (await this.#run(MEMBERS, this.#members)) as [string[], string[]];
    return { there, away };
  }

  async time(): Promise<number> {
    this.#refuseAway();
    return Number(await this.#run(TIME, this.#members));
  }

  endOfOrders(): Promise<OrderPosition> {
    return this.#orders.end();
  }

  orders(after?: OrderPosition): Promise<LoggedOrder[] | undefined> {
    return this.#orders.read(after);
  }

  addOrder(text: string): Promise<AddedOrder> {
    return this.#orders.add(text);
  }

  async close(): Promise<void> {
    if (!this.#heard || !this.#reconnected) return;
    this.client.off('ready', this.#reconnected);
    if (this.subscriber.isReady) await this.subscriber.unsubscribe(this.#topic, this.#heard);
  }

  /**
   * A server that has just started may have lost what leases there were, and who held one does not know of
   * it yet. So long as that may be, nobody is given one anew.
   */
  async #opening(): Promise<number> {
    try {
      const uptime = /^uptime_in_seconds:(\d+)/m.exec(String(await this.client.info('server')))?.[1];
      return uptime === undefined ? 0 : performance.now() + ALIVE - Number(uptime) * 1_000;
    } catch {
      return 0; // it is not told to this user, or the connection is gone again: then this is asked anew
    }
  }

  #lease(name: string): string {
    return `${this.prefix}:lease:${name}`;
  }

  #run(script: string, key: string, ...values: string[]): Promise<unknown> {
    return this.client.eval(script, { keys: [key], arguments: values });
  }

  /** The client would keep the command until it has a connection again, which may be too late. */
  #refuseAway(): void {
    if (!this.client.isReady) throw new Error('there is no connection to Redis');
  }
}
