import { setTimeout as sleep } from 'node:timers/promises';
import { ChildProcess } from './child.js';

/** How long the last stream may take to be subscribed when all heads are here. */
const SUBSCRIBING = 15_000;
/** How long a doubled event may take to show after the last one. */
const AFTERMATH = 50;

/**
 * Runs one scenario against one system, the processes being started for it and killed after it.
 *
 * @param {import('./tables.js').System & { hasPublisher?: boolean }} system with a publisher, another process like it
 * publishes, and it delivers
 * @param {import('./tables.js').Scenario} scenario
 * @param {object} options
 * @param {number} options.seed of the events
 * @param {boolean} [options.isPinned] whether server and client each have a core of their own
 * @param {number} [options.patience] milliseconds that the streams may take for the events of a round
 * @returns {Promise<Record<string, number>>} the figures
 * @throws when an event is missing, doubled, out of order or changed, and when anything else goes wrong
 */
export async function measure(system, scenario, { seed, isPinned = false, patience = 15_000 }) {
  const args = [String(seed), ...(system.args ?? [])];
  const [serverCore, otherCore] = isPinned ? [0, 1] : [];
  const server = new ChildProcess(system.script, args, serverCore);
  const client = new ChildProcess('client.js', [], otherCore);
  const publisher = system.hasPublisher ? new ChildProcess(system.script, args, otherCore) : server;
  try {
    const port = await server.ask('port');
    await publisher.ask('port');
    await publisher.ask('prepare', scenario.payload);
    await sleep(scenario.calm);
    const opening = () => open(server, client, scenario, { port, seed, around: system.around });
    if (scenario.idle !== undefined) return await idle(server, client, scenario, opening);
    await opening();
    return await burst(server, publisher, client, scenario, patience);
  } finally {
    await Promise.all([server.kill(), publisher.kill(), client.kill()]);
  }
}

/** Opens all streams, and waits until an event would reach each of them: the CPU time that this took. */
async function open(server, client, scenario, given) {
  const { streams, payload, accepts } = scenario;
  const before = await server.ask('usage');
  await client.ask('open', { ...given, streams, events: eventsOf(scenario), payload, accepts });
  const deadline = performance.now() + SUBSCRIBING;
  for (let there = 0; there !== streams;) {
    there = await server.ask('subscribers');
    if (performance.now() > deadline) throw new Error(`${there} of ${streams} streams are subscribed`);
    if (there !== streams) await sleep(10);
  }
  const after = await server.ask('usage');
  await sleep(scenario.calm);
  return after.cpu - before.cpu;
}

async function burst(server, publisher, client, { streams, perTurn, turns, rounds, warmUp, calm }, patience) {
  const perRound = perTurn * turns;
  const publish = async (round) => {
    const to = (round + 1) * perRound;
    const checked = client.ask('events', { count: to, patience });
    await Promise.all([publisher.ask('publish', { from: round * perRound, to, perTurn }), checked]);
  };
  for (let round = 0; round < warmUp; round++) await publish(round);
  await sleep(calm);

  const usages = () => Promise.all([server.ask('usage'), client.ask('usage')]);
  const [serverBefore, clientBefore] = await usages();
  const began = performance.now();
  for (let round = warmUp; round < warmUp + rounds; round++) await publish(round);
  const took = performance.now() - began;
  const [serverAfter, clientAfter] = await usages();

  await sleep(AFTERMATH);
  await client.ask('verdict', { count: (warmUp + rounds) * perRound });
  const deliveries = rounds * perRound * streams;
  return {
    deliveries,
    cpuPerDelivery: (serverAfter.cpu - serverBefore.cpu) / deliveries,
    bytesPerDelivery: (clientAfter.bytes - clientBefore.bytes) / deliveries,
    clientCpuPerDelivery: (clientAfter.cpu - clientBefore.cpu) / deliveries,
    deliveriesPerSecond: Math.round((deliveries / took) * 1_000),
  };
}

async function idle(server, client, { streams, idle: time }, opening) {
  const before = await server.ask('memory');
  const cpu = await opening();
  await sleep(time);
  const after = await server.ask('memory');
  await client.ask('verdict', { count: 0 });
  return {
    streams,
    memoryPerStream: (after.rss - before.rss) / streams,
    heapPerStream: (after.heap - before.heap) / streams,
    cpuPerOpening: cpu / streams,
  };
}

const eventsOf = ({ perTurn = 0, turns = 0, rounds = 0, warmUp = 0 }) => perTurn * turns * (rounds + warmUp);
