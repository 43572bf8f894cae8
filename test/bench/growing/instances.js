// Several instances in one process, which all stream the channel that one of them publishes to.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { SseHub, SseModule } from '../../../dist/index.js';
import { backplaneOf } from '../backplanes/backplane-of.js';
import { serveCommands, usage } from '../commands.js';
import { BenchEvents } from '../events.js';

const [, , seed, name, address] = process.argv;
const events = new BenchEvents(Number(seed));
const options = { backplane: await backplaneOf(name, address) };
const hubs = [];
let received = 0;

serveCommands({
  usage,
  /** Starts instances until there are so many that stream the channel. */
  async start({ instances }) {
    while (hubs.length < instances) {
      const app = await NestFactory.createApplicationContext(SseModule.forRoot(options), {
        logger: ['warn', 'error'],
      });
      const hub = app.get(SseHub);
      hub.stream('bench').subscribe(() => received++);
      hubs.push(hub);
    }
  },
  /** Publishes to a channel, with so many calls that wait for their answers at any time. */
  async publish({ channel, count, inFlight }) {
    let seq = 0;
    const before = received;
    const wanted = channel === 'bench' ? count * hubs.length : 0;
    const goOn = async () => {
      while (seq < count) await hubs[0].publish(channel, { data: events.at(seq++) });
    };
    await Promise.all(Array.from({ length: inFlight }, goOn));
    while (received < before + wanted) await new Promise((resolve) => setTimeout(resolve, 1));
  },
});
