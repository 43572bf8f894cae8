import type { WillStore } from '../common/cluster-link.js';
import { pairsOf, type RedisConnection } from './redis.connection.js';
import { ALLOW_OOM } from './redis.scripts.js';

/** A full Redis takes a will too: it is small, and without it the listeners of a pipe would wait for ever. */
const PUT = `${ALLOW_OOM}
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])`;

const REMOVE = `${ALLOW_OOM}
redis.call('HDEL', KEYS[2], ARGV[2])
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SREM', KEYS[1], ARGV[1]) end`;

/** A script, because ioredis turns the answer to a plain HGETALL into an object. */
const OF = `return redis.call('HGETALL', KEYS[2])`;

/** Wills in Redis: a hash for each instance that has left some, and a set of these instances. */
export class RedisWills implements WillStore {
  readonly #owners: string;

  constructor(private readonly connection: RedisConnection) {
    this.#owners = `${connection.prefix}:{wills}`;
  }

  async put(instance: string, id: string, text: string): Promise<void> {
    await this.#run(PUT, instance, id, text);
  }

  async has(instance: string, id: string): Promise<boolean> {
    return (await this.connection.send('HEXISTS', this.#keyOf(instance), id)) === 1;
  }

  async remove(instance: string, id: string): Promise<void> {
    await this.#run(REMOVE, instance, id);
  }

  async owners(): Promise<readonly string[]> {
    return (await this.connection.send('SMEMBERS', this.#owners)) as string[];
  }

  async of(instance: string): Promise<ReadonlyMap<string, string>> {
    return pairsOf(await this.#run(OF, instance));
  }

  async #run(script: string, instance: string, ...values: string[]): Promise<unknown> {
    return this.connection.eval(script, [this.#owners, this.#keyOf(instance)], [instance, ...values]);
  }

  #keyOf(instance: string): string {
    return `${this.#owners}:${instance}`;
  }
}
