// Seeded random schedules, judged by an oracle. Variables of the environment (run.js sets them):
//   SSE_BACKPLANE   only this one: memory, lmdb, redis or nats
//   SSE_SCHEDULES   how many schedules of each; one in twenty restarts instances, one the store
//   SSE_SEED        the first seed; a schedule that fails prints its own
//   SSE_TIMES       how often each is run, for one that fails now and then; the one seed of a single schedule is
//                   run so often at once, and where that fails it is made shorter for as long as it still fails
import { describe, it } from '@jest/globals';
import { describeWith } from '../support/describe-with.js';
import { report, type Failure } from './report.js';
import { runSchedule } from './run-schedule.js';
import { scheduleOf, type Schedule } from './schedule.js';
import { shorten } from './shorten.js';
import type { StoreName } from './stores.js';
import { World } from './world.js';

const { SSE_BACKPLANE, SSE_SCHEDULES = '40', SSE_SEED = '1', SSE_TIMES = '1' } = process.env;
const COUNT = Number(SSE_SCHEDULES);
const FIRST = Number(SSE_SEED);
const TIMES = Number(SSE_TIMES);

/** Schedules of one test: as many as fit into its time on a busy machine. */
const BATCH = 20;
/** Schedules that run at the same time, as each waits more than it works. */
const AT_ONCE = 12;
/** Milliseconds after which a test begins no more schedules: those that fail take their time. */
const BUDGET = 6_000;

/** A schedule that restarts something has a world of its own. */
async function failureOf(schedule: Schedule, name: StoreName, shared: World): Promise<Failure[]> {
  const world = schedule.flavour === 'steady' ? shared : await World.open(name);
  const { faults, trace } = await runSchedule(schedule, world);
  if (world !== shared) await world.close();
  return faults.length === 0 ? [] : [{ schedule, faults, trace }];
}

async function failuresOf(name: StoreName, seeds: readonly number[]): Promise<Failure[]> {
  const shared = await World.open(name);
  const end = performance.now() + BUDGET;
  const scheduleOfSeed = (seed: number): Schedule => scheduleOf(seed, shared.abilities);
  const repeat = async (schedule: Schedule): Promise<Failure | undefined> => {
    const runs = Array.from({ length: TIMES }, () => failureOf(schedule, name, shared));
    return (await Promise.all(runs)).flat()[0];
  };
  if (COUNT === 1) return shorten(scheduleOfSeed(FIRST), repeat, end);

  const left = seeds.flatMap((seed) => Array.from({ length: TIMES }, () => seed));
  const failures: Failure[] = [];
  const worker = async (): Promise<void> => {
    for (let seed = left.shift(); seed !== undefined && performance.now() < end; seed = left.shift())
      failures.push(...(await failureOf(scheduleOfSeed(seed), name, shared)));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (left.length > 0 && failures.length === 0) throw new Error(`There was no time for ${left.join(', ')}.`);
  return failures;
}

const batches = Array.from({ length: Math.ceil(COUNT / BATCH) }, (_, i) => ({
  first: FIRST + i * BATCH,
  last: FIRST + Math.min(COUNT, (i + 1) * BATCH) - 1,
}));

function define(name: StoreName): void {
  it.each(batches)('loses nothing in silence in schedules $first to $last', async ({ first, last }) => {
    const seeds = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    const failures = await failuresOf(name, seeds);
    if (failures.length > 0) throw new Error(report(name, failures));
  });
}

const wanted = (name: StoreName): boolean => SSE_BACKPLANE === undefined || SSE_BACKPLANE === name;

if (wanted('memory')) describe('A hub in memory', () => define('memory'));
if (wanted('lmdb')) describe('A hub on LMDB', () => define('lmdb'));
if (wanted('redis')) describeWith('redis-server', 'Two hubs on Redis', () => define('redis'));
if (wanted('nats')) describeWith('nats-server', 'Two hubs on NATS', () => define('nats'));
