import { whenTestEnds } from './clean-up.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { RedisServer } from './redis-server.js';

/** A Redis Cluster of three primaries. */
export class RedisShards {
  private constructor(
    private readonly path: string,
    readonly servers: readonly RedisServer[],
  ) {}

  /** Starts them for one test. */
  static async start(path: string): Promise<RedisShards> {
    const servers = await Promise.all([1, 2, 3].map(() => startShard(path)));
    const shards = new RedisShards(path, servers);
    const ranges = [
      [0, 5460],
      [5461, 10922],
      [10923, 16383],
    ] as const;
    for (const [i, range] of ranges.entries())
      await servers[i]!.command('CLUSTER', 'ADDSLOTSRANGE', ...range.map(String));
    for (const server of servers.slice(1)) await shards.#meet(server);
    await shards.#areWell(servers);
    return shards;
  }

  /** The server that has the slot of a key. */
  async ownerOf(key: string): Promise<RedisServer> {
    const slot = await this.slotOf(key);
    return this.servers[slot <= 5460 ? 0 : slot <= 10922 ? 1 : 2]!;
  }

  async slotOf(key: string): Promise<number> {
    return Number(await this.servers[0]!.command('CLUSTER', 'KEYSLOT', key));
  }

  /** Adds a replica of one of them. Resolves when it has all. */
  async replicaOf(primary: RedisServer): Promise<RedisServer> {
    const replica = await startShard(this.path);
    await this.#meet(replica);
    const id = String(await primary.command('CLUSTER', 'MYID'));
    await eventually(() =>
      replica.command('CLUSTER', 'REPLICATE', id).then(
        () => true,
        () => false,
      ),
    );
    await eventually(async () =>
      String(await replica.command('INFO', 'replication')).includes('link_status:up'),
    );
    await this.#areWell([replica]);
    return replica;
  }

  /** Gives the slot of a key to another of them, with all that is in it. */
  async move(key: string, to: RedisServer, meanwhile: () => Promise<unknown>): Promise<void> {
    const from = await this.ownerOf(key);
    const slot = String(await this.slotOf(key));
    const [fromId, toId] = [
      String(await from.command('CLUSTER', 'MYID')),
      String(await to.command('CLUSTER', 'MYID')),
    ];
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
    await meanwhile();
    for (;;) {
      const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, '1')) as string[];
      if (keys.length === 0) break;
      await from.command('MIGRATE', '127.0.0.1', String(to.port), '', '0', '1000', 'KEYS', ...keys);
    }
    for (const server of [to, ...this.servers])
      await server.command('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
  }

  async #meet(server: RedisServer): Promise<void> {
    const [first] = this.servers;
    await server.command('CLUSTER', 'MEET', '127.0.0.1', String(first!.port), String(busOf(first!)));
  }

  async #areWell(servers: readonly RedisServer[]): Promise<void> {
    for (const server of servers)
      await eventually(async () => {
        const info = String(await server.command('CLUSTER', 'INFO'));
        return info.includes('cluster_state:ok') && /cluster_size:3\b/.test(info);
      });
  }
}

const buses = new WeakMap<RedisServer, number>();
const busOf = (server: RedisServer): number => buses.get(server)!;

/** Starts one server of a Cluster, which has no slots yet, for one test. */
export async function startShard(path: string): Promise<RedisServer> {
  const bus = await freePort();
  const server = await RedisServer.start(path, {
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--cluster-node-timeout', '1000'],
      ...['--repl-diskless-sync-delay', '0'],
    ],
  });
  buses.set(server, bus);
  whenTestEnds(() => server.dispose());
  return server;
}
