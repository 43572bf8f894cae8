import { ChildProcess } from '../child.js';
import { measure } from '../measure.js';

/**
 * What is measured with a backplane, each with processes of its own. `backplane` has the name of one and
 * the address of its server; the figures are those of scenarios.js.
 */
export const measurements = {
  /** One instance publishes, and the client is on another; or bare clients are in the place of both. */
  latency: ({ name, address }, sizes, { seed }) =>
    withProcesses(seed, name, address, async (start) => {
      const publisher = start('backplanes/publisher.js');
      const ports = {
        bare: await start('servers/relay.js').ask('port'),
        hub: await start('servers/instance.js').ask('port'),
      };
      return publisher.ask('latency', { ports, ...sizes.latency });
    }),

  publishing: ({ name, address }, sizes, { seed }) =>
    withProcesses(seed, name, address, (start) =>
      start('backplanes/publisher.js').ask('publishing', sizes.publishing),
    ),

  /** The instance that is measured delivers what another one publishes; with memory there is but one. */
  'fan-out': ({ name, address = '' }, sizes, { seed, isPinned }) => {
    const system = { script: 'servers/instance.js', args: [name, address], hasPublisher: name !== 'memory' };
    return measure(system, sizes.fanOut, { seed, isPinned });
  },

  /** All clients of an instance that has just started come back at once, and get what they have missed. */
  resuming: ({ name, address }, sizes, { seed }) =>
    withProcesses(seed, name, address, async (start) => {
      const { streams, events } = sizes.resuming;
      const publisher = start('backplanes/publisher.js');
      const lastEventId = await publisher.ask('fill', { count: events });
      const port = await start('servers/instance.js').ask('port');
      const client = start('client.js');
      const before = await publisher.ask('rangeReads');
      const began = performance.now();
      await client.ask('open', { port, streams, events, seed, lastEventId, atOnce: streams });
      await client.ask('events', { count: events, patience: 15_000 });
      const took = performance.now() - began;
      await client.ask('verdict', { count: events });
      return { rangeReads: (await publisher.ask('rangeReads')) - before, took };
    }),
};

/** Gives the means to start processes, which are ended after it. */
async function withProcesses(seed, name, address, use) {
  const processes = [];
  const start = (script) => {
    const started = new ChildProcess(script, [String(seed), name, address]);
    processes.push(started);
    return started;
  };
  try {
    return await use(start);
  } finally {
    await Promise.all(processes.map((child) => child.kill()));
  }
}
