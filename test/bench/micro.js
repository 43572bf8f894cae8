import { NestFactory } from '@nestjs/core';
import 'reflect-metadata';
import { SseHub, SseModule } from '../../dist/index.js';
import { EventLog } from '../../dist/sse/log/event-log.js';
import { newMark } from '../../dist/sse/backplanes/common/mark.js';
import { storedEvent } from '../../dist/sse/log/stored-event.js';
import { chunk } from '../../dist/sse/protocol/event-stream.js';
import { BenchEvents } from './events.js';
import { machine } from './machine.js';
import { seededRandom } from './random.js';
import { digits, summary } from './report.js';

const MAX_EVENT_BYTES = 1024 * 1024;
const LOG_SIZE = 10_000;
/** What a client that comes back reads. */
const BEHIND = 100;

/**
 * What an event goes through, one after the other: each does something so many times, and fails if that
 * came out wrong.
 */
async function workloads(seed) {
  const events = new BenchEvents(seed);
  const random = seededRandom(seed);
  const app = await NestFactory.createApplicationContext(SseModule.forRoot(), { logger: ['warn', 'error'] });
  const hub = app.get(SseHub);
  const log = filledLog(events);
  const published = async (channel, times) => {
    let id;
    for (let i = 0; i < times; i++) id = await hub.publish(channel, { data: events.at(i) });
    expect(id.startsWith(`${hub.stats().published}.`), 'the id of an event begins with how many there are');
  };
  const workloads = {
    'encode an event': (times) => {
      let bytes = 0;
      for (let i = 0; i < times; i++)
        bytes += storedEvent({ data: events.at(i) }, false, MAX_EVENT_BYTES).bytes;
      expect(bytes > times * 140, 'events have their data');
    },
    'encode an event and frame it for the socket': (times) => {
      let bytes = 0;
      for (let i = 0; i < times; i++) {
        bytes += chunk(storedEvent({ data: events.at(i) }, false, MAX_EVENT_BYTES).body).length;
      }
      expect(bytes > times * 146, 'frames have their events');
    },
    'publish an event where nobody listens': (times) => published('bench', times),
    [`find a place in a log of ${LOG_SIZE}, and read ${BEHIND} events`]: (times) => {
      for (let i = 0; i < times; i++) {
        const offset = Math.floor(random() * (LOG_SIZE - BEHIND));
        const first = log.indexAfter(offset);
        let sum = 0;
        for (let k = 0; k < BEHIND; k++) sum += log.at(first + k).offset - offset;
        expect(sum === (BEHIND * (BEHIND + 1)) / 2, 'the events that follow are read');
      }
    },
    [`hub.history() of ${BEHIND} events`]: async (times) => {
      for (let i = 0; i < times; i++) {
        const { events: read } = await hub.history('bench');
        expect(read.length === BEHIND, 'all that is kept is read');
      }
    },
  };
  return { workloads, close: () => app.close() };
}

function filledLog(events) {
  const begin = { offset: 0, mark: 'birth' };
  const log = new EventLog(begin, { count: LOG_SIZE, bytes: Infinity, age: Infinity });
  for (let offset = 1; offset <= LOG_SIZE; offset++) {
    const event = storedEvent({ data: events.at(offset) }, false, MAX_EVENT_BYTES);
    log.push({ offset, mark: newMark(), previous: log.head, at: 0, event });
  }
  return log;
}

function expect(isRight, what) {
  if (!isRight) throw new Error(`The micro-bench is wrong: it expects that ${what}.`);
}

/** How often it can be done in a second, by doing it for some milliseconds at least. */
async function opsPerSecond(workload, least) {
  for (let times = 100; ; times *= 2) {
    const began = performance.now();
    await workload(times);
    const took = performance.now() - began;
    if (took >= least) return (times / took) * 1_000;
  }
}

/**
 * The same over and over, in this process and without any network.
 *
 * @param {ReturnType<import('./options.js').readOptions>} options
 * @param {(line: string) => void} log
 */
export async function benchMicro(options, log) {
  const { workloads: all, close } = await workloads(options.seed);
  const runs = [];
  // What comes first finds nothing compiled: the first repetition does not count.
  for (let repetition = 0; repetition <= options.reps; repetition++) {
    for (const [name, workload] of Object.entries(all)) {
      const figures = { opsPerSecond: Math.round(await opsPerSecond(workload, options.quick ? 5 : 500)) };
      log(`${repetition || 'warm-up'} | ${name}: ${figures.opsPerSecond} ops/s`);
      if (repetition > 0) runs.push({ workload: name, repetition, figures });
    }
  }
  await close();
  return { machine: machine(false), runs, table: tableOf(runs, Object.keys(all)), isRight: true };
}

function tableOf(runs, names) {
  const rows = names.map((name) => {
    const { median, min, max } = summary(runs.filter(({ workload }) => workload === name)).opsPerSecond;
    const [middle, least, most] = [median, min, max].map((value) => Math.round(value).toLocaleString('en'));
    return `| ${name} | ${middle} (${least}–${most}) | ${digits(1e6 / median)} |`;
  });
  return ['| | ops/s | µs each |', '| --- | ---: | ---: |', ...rows].join('\n');
}
