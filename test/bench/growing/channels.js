// A process with many channels that nobody streams.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { SseHub, SseModule } from '../../../dist/index.js';
import { backplaneOf } from '../backplanes/backplane-of.js';
import { memory, serveCommands } from '../commands.js';
import { BenchEvents } from '../events.js';

const [, , seed, name, address] = process.argv;
const events = new BenchEvents(Number(seed));
const options = { backplane: await backplaneOf(name, address) };
const app = await NestFactory.createApplicationContext(SseModule.forRoot(options), {
  logger: ['warn', 'error'],
});
const hub = app.get(SseHub);

serveCommands({
  /** Publishes so many events to each of so many channels. */
  async publish({ channels, count }) {
    for (let seq = 0; seq < count; seq++) {
      // Some at once, as each may take a while.
      for (let i = 0; i < channels; i += 100) {
        const some = Array.from({ length: Math.min(100, channels - i) }, (_, k) => `channel/${i + k}`);
        await Promise.all(some.map((channel) => hub.publish(channel, { data: events.at(seq) })));
      }
    }
  },
  /** Bytes of the heap that are in use. */
  memory: () => memory().heap,
});
