// The instance that publishes, and a bare client beside it: in one process, so that they are compared alike.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { SseHub, SseModule } from '../../../dist/index.js';
import { serveCommands } from '../commands.js';
import { BenchEvents } from '../events.js';
import { backplaneOf } from './backplane-of.js';
import { openBare } from './bare.js';
import { OneStream } from './one-stream.js';
import { percentile } from './report.js';

const [, , seed, name, address] = process.argv;
const events = new BenchEvents(Number(seed));
const bare = await openBare(name, address);
const options = { backplane: await backplaneOf(name, address) };
const app = await NestFactory.createApplicationContext(SseModule.forRoot(options), {
  logger: ['warn', 'error'],
});
const hub = app.get(SseHub);

/** The ways to publish an event. Whoever it is has to make text of it. */
const ways = {
  bare: (seq) => bare.publish(JSON.stringify(events.at(seq))),
  alike: (seq) => bare.publishAlike(JSON.stringify(events.at(seq))),
  hub: (seq) => hub.publish('bench', { data: events.at(seq) }),
};

/** Milliseconds from each call to the event's arrival at a client of another process, one after the other. */
async function latencies(publish, stream, from, to) {
  const took = [];
  for (let seq = from; seq < to; seq++) {
    const began = performance.now();
    const arrived = stream.has(`"seq":${seq},`);
    await Promise.all([publish(seq), arrived.then(() => took.push(performance.now() - began))]);
  }
  return took;
}

/** Acknowledged publishes in a second, with so many that wait for their answers at any time. */
async function publishesPerSecond(publish, count, inFlight) {
  let seq = 0;
  const began = performance.now();
  const goOn = async () => {
    while (seq < count) await publish(seq++);
  };
  await Promise.all(Array.from({ length: inFlight }, goOn));
  return (count / (performance.now() - began)) * 1_000;
}

serveCommands({
  rangeReads: () => bare.rangeReads(),
  /** The two take turns of `perTurn` events; the first turn of each is to warm up. */
  async latency({ ports, turns, perTurn }) {
    const took = { bare: [], hub: [] };
    const streams = { bare: await OneStream.open(ports.bare), hub: await OneStream.open(ports.hub) };
    for (let turn = 0; turn <= turns; turn++) {
      for (const [way, stream] of Object.entries(streams)) {
        const some = await latencies(ways[way], stream, turn * perTurn, (turn + 1) * perTurn);
        if (turn > 0) took[way].push(...some);
      }
    }
    return {
      bareP50: percentile(took.bare, 50),
      hubP50: percentile(took.hub, 50),
      bareP99: percentile(took.bare, 99),
      hubP99: percentile(took.hub, 99),
    };
  },
  /** All ways take turns; the first of each is to warm up. */
  async publishing({ turns, perTurn, inFlight }) {
    const rates = { bare: [], alike: [], hub: [] };
    for (let turn = 0; turn <= turns; turn++) {
      for (const [way, publish] of Object.entries(ways)) {
        const rate = await publishesPerSecond(publish, perTurn, inFlight);
        if (turn > 0) rates[way].push(rate);
      }
    }
    return Object.fromEntries(Object.entries(rates).map(([way, some]) => [way, percentile(some, 50)]));
  },
  /** Publishes an event, and events 0 to `count - 1` after it; answers with the id of the first. */
  async fill({ count }) {
    const [id] = await Promise.all(Array.from({ length: count + 1 }, (_, i) => ways.hub(Math.max(0, i - 1))));
    return id;
  },
});
