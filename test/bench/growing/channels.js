// A process with many channels that nobody streams.
import 'reflect-metadata';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { NestFactory } from '@nestjs/core';
import { SseHub, SseModule } from '../../../dist/index.js';
import { serveCommands } from '../commands.js';
import { BenchEvents } from '../events.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

const events = new BenchEvents(Number(process.argv[2]));
const app = await NestFactory.createApplicationContext(SseModule.forRoot(), { logger: ['warn', 'error'] });
const hub = app.get(SseHub);

serveCommands({
  /** Publishes so many events to each of so many channels. */
  async publish({ channels, count }) {
    for (let i = 0; i < channels; i++)
      for (let seq = 0; seq < count; seq++) await hub.publish(`channel/${i}`, { data: events.at(seq) });
  },
  /** Bytes of the heap that are in use. */
  memory() {
    collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  },
});
