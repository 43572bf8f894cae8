import { AWAY_TIME } from '../../cluster/cluster.js';
import { ALIVE, type ClusterLink, type LinkEvents, type Members } from '../common/cluster-link.js';
import type { RedisConnection } from './redis.connection.js';
import { RedisOrders } from './redis.orders.js';
import { ALLOW_OOM, CLOCK } from './redis.scripts.js';
import { RedisWills } from './redis.wills.js';

const HOLD = `${ALLOW_OOM}
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;

const RELEASE = `${ALLOW_OOM}
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`;

/** An instance's score is the time until which it is there. It stays for longer, as being away. */
const ENROL = `${ALLOW_OOM}${CLOCK}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', NOW - ${AWAY_TIME})
redis.call('ZADD', KEYS[1], NOW + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ${AWAY_TIME})`;

const MEMBERS = `${ALLOW_OOM}${CLOCK}
local there, away = string.format('%.0f', NOW), string.format('%.0f', NOW - ${AWAY_TIME})
return {
  redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. there, '+inf'),
  redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. away, there)
}`;

const TIME = `${ALLOW_OOM}${CLOCK}
return NOW`;

/** A cluster on Redis: leases are keys that expire, messages go by pub/sub. */
export class RedisClusterLink implements ClusterLink {
  readonly #topic: string;
  readonly #members: string;
  readonly orders: RedisOrders;
  readonly wills: RedisWills;
  /** The run ID of the server that the last connection led to. */
  #run = '';
  /** The end of the quarantine, in which no candidate gets a lease: `performance.now()`. */
  #grantsFrom = Promise.resolve(0);

  constructor(private readonly connection: RedisConnection) {
    const { prefix, database } = connection;
    // Pub/sub does not separate databases.
    this.#topic = `${prefix}:cluster:${database}`;
    this.#members = `${prefix}:instances`;
    this.orders = new RedisOrders(connection);
    this.wills = new RedisWills(connection);
  }

  /**
   * Takes `silent` for a reconnection: each new connection for commands goes through it. So it does when only the
   * notices were lost, but a needless `reconnected()` does no harm.
   */
  async open(events: LinkEvents): Promise<void> {
    this.#grantsFrom = this.#quarantine();
    this.connection.watch((state) => {
      if (state !== 'silent') return;
      this.#grantsFrom = this.#quarantine();
      events.reconnected();
    });
    await this.connection.subscribe(this.#topic, (text) => events.received(text));
  }

  async send(text: string): Promise<void> {
    await this.connection.send('PUBLISH', this.#topic, text);
  }

  async hold(name: string, token: string, as: 'candidate' | 'leader'): Promise<boolean> {
    if (as === 'candidate' && performance.now() < (await this.#grantsFrom)) return false;
    return (await this.#eval(HOLD, this.#lease(name), token, String(ALIVE))) === 1;
  }

  async release(name: string, token: string): Promise<void> {
    await this.#eval(RELEASE, this.#lease(name), token);
  }

  async enrol(instance: string): Promise<void> {
    await this.#eval(ENROL, this.#members, instance, String(ALIVE));
  }

  async withdraw(instance: string): Promise<void> {
    await this.connection.send('ZREM', this.#members, instance);
  }

  async members(): Promise<Members> {
    const [there, away] = (await this.#eval(MEMBERS, this.#members)) as [string[], string[]];
    return { there, away };
  }

  async time(): Promise<number> {
    return Number(await this.#eval(TIME, this.#members));
  }

  async close(): Promise<void> {
    this.connection.unsubscribe(this.#topic);
  }

  /**
   * A server that has just started, or was a replica a moment ago, may have lost a lease whose holder does not know it
   * yet. Until such a lease has expired, no candidate gets one.
   *
   * @returns when that is over
   */
  async #quarantine(): Promise<number> {
    const before = this.#run;
    const connectedAt = performance.now();
    try {
      const info = String(await this.connection.send('INFO', 'server'));
      this.#run = /^run_id:(\w+)/m.exec(info)?.[1] ?? '';
      const uptime = Number(/^uptime_in_seconds:(\d+)/m.exec(info)?.[1] ?? 0) * 1_000;
      if (this.#run !== '' && this.#run === before) return 0;
      // On the first connection the uptime counts. Later another run ID may be that of a replica which has taken over,
      // whose uptime says nothing.
      return connectedAt + ALIVE - (before === '' ? uptime : 0);
    } catch {
      return connectedAt + ALIVE; // the user may lack the right to INFO, or the connection is gone again
    }
  }

  #lease(name: string): string {
    return `${this.connection.prefix}:lease:${name}`;
  }

  #eval(script: string, key: string, ...values: string[]): Promise<unknown> {
    return this.connection.eval(script, [key], values);
  }
}
