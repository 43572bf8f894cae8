import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';
import { startServer, whatIsMissing } from '../backplanes/servers.js';
import { ChildProcess } from '../child.js';

/** Milliseconds after which a process has done what it does after its start, or after streams have come. */
const CALM = 500;

function isThere(name) {
  return whatIsMissing(name) === undefined;
}

/** What each costs that README's table does not have. Sizes are those of run.js; figures are µs and bytes. */
export const measurements = {
  /** Clients that come back, of which each is behind by so many events. */
  'coming back': async (sizes, seed) => {
    const figures = {};
    for (const behind of [0, 10, 100])
      figures[`cpuBehind${behind}`] = await withStreams([seed, 'shared', 0], sizes.streams, async (open) => {
        const lastEventId = await open.server.ask('fill', { count: behind });
        const { cpu } = await open.all({ seed, events: behind, lastEventId });
        return cpu / sizes.streams;
      });
    return figures;
  },

  heartbeats: (sizes, seed) =>
    withStreams([seed, 'shared', 1_000], sizes.streams, async ({ server, all }) => {
      await all({ seed, events: 0 });
      const before = await server.ask('usage');
      await sleep(sizes.beats * 1_000);
      const after = await server.ask('usage');
      return { cpuPerBeat: (after.cpu - before.cpu) / (sizes.beats * sizes.streams) };
    }),

  'a channel for each stream': (sizes, seed) =>
    withStreams([seed, 'own', 0], sizes.streams, async ({ server, client, all }) => {
      const { cpu, memory, kernel } = await all({ seed, events: 6 });
      const publish = async (seq) => {
        await server.ask('publishToEach', { seq });
        await client.ask('events', { count: seq + 1, patience: 15_000 });
      };
      await publish(0);
      const before = await server.ask('usage');
      for (let seq = 1; seq < 6; seq++) await publish(seq);
      const after = await server.ask('usage');
      return {
        memoryPerOwn: memory / sizes.streams,
        kernelPerStream: kernel / sizes.streams,
        cpuPerOwnOpening: cpu / sizes.streams,
        cpuPerOwnEvent: (after.cpu - before.cpu) / (5 * sizes.streams),
      };
    }),

  'channels without streams': async ({ channels }, seed) => {
    const child = new ChildProcess('growing/channels.js', [String(seed), 'memory']);
    try {
      return await memoryOfChannels(child, channels, () => child.ask('memory'));
    } finally {
      await child.kill();
    }
  },

  ...(isThere('redis') && { 'channels on redis': channelsOnRedis }),
  ...Object.fromEntries(
    ['redis', 'nats']
      .filter(isThere)
      .map((name) => [`instances on ${name}`, (sizes, seed) => instancesOn(name, sizes, seed)]),
  ),
};

async function channelsOnRedis({ channels: inMemory }, seed) {
  const channels = inMemory / 4; // each event takes longer
  const server = await startServer('redis');
  const client = createClient({ url: server.address });
  const child = new ChildProcess('growing/channels.js', [String(seed), 'redis', server.address]);
  try {
    await client.connect();
    return await memoryOfChannels(child, channels, async () =>
      Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))[1]),
    );
  } finally {
    client.destroy();
    await child.kill();
    await server.stop();
  }
}

/** Bytes of channels with one event, and of nine more in each. */
async function memoryOfChannels(child, channels, memory) {
  await child.ask('publish', { channels: 100, count: 1 });
  const held = [];
  for (const count of [0, 1, 9]) {
    await child.ask('publish', { channels, count });
    held.push(await memory());
  }
  const [none, one, ten] = held;
  return { memoryPerChannel: (one - none) / channels, memoryPerEvent: (ten - one) / (9 * channels) };
}

/** What an event costs the server and the instances, from one to many that stream its channel. */
async function instancesOn(name, { instances, published, idle }, seed) {
  const server = await startServer(name);
  const child = new ChildProcess('growing/instances.js', [String(seed), name, server.address]);
  const cpuOf = async (publish) => {
    await child.ask('publish', { ...publish, count: Math.ceil(published / 10) });
    const before = { ...(await child.ask('usage')), server: cpuOfProcess(server.pid) };
    await child.ask('publish', { ...publish, count: published });
    const after = { ...(await child.ask('usage')), server: cpuOfProcess(server.pid) };
    return {
      server: (after.server - before.server) / published,
      process: (after.cpu - before.cpu) / published,
    };
  };
  try {
    await child.ask('start', { instances: 1 });
    await sleep(CALM);
    // A channel that nobody streams.
    const stored = await cpuOf({ channel: 'silent', inFlight: 50 });
    const one = await cpuOf({ channel: 'bench', inFlight: 10 });
    await child.ask('start', { instances });
    await sleep(CALM);
    const many = await cpuOf({ channel: 'bench', inFlight: 10 });
    const before = cpuOfProcess(server.pid);
    await sleep(idle * 1_000);
    const idling = cpuOfProcess(server.pid) - before;
    return {
      serverPerPublish: stored.server,
      instancePerPublish: stored.process,
      serverPerInstance: (many.server - one.server) / (instances - 1),
      instancePerNotice: (many.process - one.process) / (instances - 1),
      serverPerIdle: idling / (idle * instances),
    };
  } finally {
    await child.kill();
    await server.stop();
  }
}

/** Gives a server and its client, whose streams `all()` opens. */
async function withStreams(args, streams, use) {
  const server = new ChildProcess('growing/server.js', args.map(String));
  const client = new ChildProcess('client.js', []);
  const all = async (given) => {
    await sleep(CALM);
    const [before, kernelBefore] = [await server.ask('usage'), kernelMemory()];
    const port = await server.ask('port');
    await client.ask('open', { port, streams, ...given });
    if (given.lastEventId !== undefined)
      await client.ask('events', { count: given.events, patience: 15_000 });
    const after = await server.ask('usage');
    await sleep(CALM);
    const { rss } = await server.ask('usage');
    // Both ends of a connection are on this machine.
    const kernel = (kernelMemory() - kernelBefore) / 2;
    return { cpu: after.cpu - before.cpu, memory: rss - before.rss, kernel };
  };
  try {
    return await use({ server, client, all });
  } finally {
    await Promise.all([server.kill(), client.kill()]);
  }
}

/** Bytes that the kernel has for objects such as sockets; 0 where it does not tell. */
function kernelMemory() {
  try {
    return Number(/^Slab:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1] ?? 0) * 1_024;
  } catch {
    return 0;
  }
}

/** The CPU time of a process in µs, in steps of 10 ms; 0 where it cannot be read. */
function cpuOfProcess(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  } catch {
    return 0;
  }
}
