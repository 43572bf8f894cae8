import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { RedisServer } from '../support/redis-server.js';
import { hotChannelChart, restartChart, slowClientsChart } from './charts.js';
import { DATA_LENGTH, simulateHotChannel } from './hot-channel.js';
import { simulateRestart, type Restart, type RestartOutcome } from './restart.js';
import { READ_RATES, simulateSlowClients } from './slow-clients.js';

/*
 * The conclusions of the guide to growing (src/sse/cluster/growing.md), each from a simulation. `npm run simulate` runs
 * them to draw the charts of the guide, perhaps with another seed.
 */
const { SSE_SEED = '1', SSE_CHARTS } = process.env;
const seed = Number(SSE_SEED);

async function draw(name: string, chart: string): Promise<void> {
  if (SSE_CHARTS === undefined) return;
  await mkdir(SSE_CHARTS, { recursive: true });
  await writeFile(join(SSE_CHARTS, `growing-${name}.svg`), chart);
}

describe('a fleet that restarts', () => {
  const CLIENTS = 300;
  /** Streams that each of the four instances lets in in a second: together those of a tenth of the clients. */
  const PER_SECOND = Math.round(CLIENTS / 4 / 10);
  const together: Restart = {
    client: 'EventSource',
    how: 'closed',
    order: 'together',
    balancing: 'round robin',
    options: {},
  };
  const withSpread = (spread: number): Restart => ({ ...together, options: { shutdown: { spread } } });
  const restarts = {
    'spread: 0': withSpread(0),
    'spread: 5_000, the default': together,
    'spread: 30_000': withSpread(30_000),
    'killed, with connectionsPerSecond': {
      ...together,
      how: 'killed',
      options: { limits: { connectionsPerSecond: PER_SECOND } },
    },
    killed: { ...together, how: 'killed' },
    'connect(), spread: 0': { ...withSpread(0), client: 'connect()' },
    'connect(), killed': { ...together, how: 'killed', client: 'connect()' },
    'connect(), spread: 5_000': { ...together, client: 'connect()' },
    'in turn': { ...together, order: 'in turn' },
    'in turn, least connections': { ...together, order: 'in turn', balancing: 'least connections' },
  } satisfies Record<string, Restart>;
  type Name = keyof typeof restarts;

  const outcomes = new Map<Name, Promise<RestartOutcome>>();
  /** Each is simulated once. */
  function outcomeOf(name: Name): Promise<RestartOutcome> {
    const outcome = outcomes.get(name) ?? simulateRestart(restarts[name], CLIENTS, seed);
    outcomes.set(name, outcome);
    return outcome;
  }

  it.each(Object.keys(restarts) as Name[])('loses nothing (%s)', async (name) => {
    const { intact } = await outcomeOf(name);
    expect(intact).toBe(CLIENTS);
  });

  it.each(['spread: 0', 'killed'] as const)(
    'gets every EventSource back in the same moment (%s)',
    async (name) => {
      const { densest } = await outcomeOf(name);
      expect(densest).toBe(100);
    },
  );

  it.each(['connect(), spread: 0', 'connect(), killed'] as const)(
    'gets the clients of this package back within a second (%s)',
    async (name) => {
      const { requested, densest } = await outcomeOf(name);
      expect(Math.max(...requested)).toBe(100);
      expect(densest).toBeLessThan(20);
    },
  );

  it.each([
    ['spread: 5_000, the default', 5],
    ['connect(), spread: 5_000', 5],
    ['spread: 30_000', 30],
  ] as const)(
    'gets at most clients / spread a second, and by chance some more (%s)',
    async (name, seconds) => {
      const { requested, reconnects } = await outcomeOf(name);
      expect(Math.max(...requested)).toBeLessThan(100 / seconds + 6);
      expect(reconnects).toBeCloseTo(1);
    },
  );

  it('lets in twice what connectionsPerSecond says, at the most', async () => {
    const { letIn, requested } = await outcomeOf('killed, with connectionsPerSecond');
    expect(Math.max(...letIn)).toBeLessThan(22);
    // Who is turned away comes back at random.
    expect(requested.findLastIndex((share) => share > 0)).toBeLessThan(25);
  });

  it('costs (1 + 1/n)^n - 1 reconnects in turn with round robin, and the last instance stays empty', async () => {
    const { reconnects, requested, shares } = await outcomeOf('in turn');
    expect(Math.abs(reconnects - ((1 + 1 / 4) ** 4 - 1))).toBeLessThan(0.1);
    expect(Math.max(...requested)).toBeLessThan(16);
    expect(shares[0]).toBeGreaterThan(2 * shares[3]!);
  });

  it('costs one reconnect in turn with least connections, and all instances are as full', async () => {
    const { reconnects, requested, shares } = await outcomeOf('in turn, least connections');
    expect(Math.abs(reconnects - 1)).toBeLessThan(0.1);
    expect(Math.max(...requested)).toBeLessThan(12);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThan(4);
  });

  it('is drawn', async () => {
    const shown = Object.keys(restarts).slice(0, 4) as Name[];
    const lines = await Promise.all(shown.map(async (name) => [name, await outcomeOf(name)] as const));
    await draw('restart', restartChart(Object.fromEntries(lines)));
  });
});

describe('slow clients', () => {
  it('get a gap unless the history covers their lag', async () => {
    const shares = await simulateSlowClients(12, seed);
    await draw('slow-clients', slowClientsChart(shares));
    const share = (history: number, rate: number): number => shares.get(history)![READ_RATES.indexOf(rate)]!;
    // Four minutes of 5 events a second: who reads 85 % is 36 seconds behind at the end, and pauses besides.
    for (const rate of READ_RATES.filter((some) => some >= 85)) expect(share(500, rate)).toBe(0);
    for (const history of [50, 100]) expect(share(history, 55)).toBeGreaterThan(90);
    // Short histories do not cover pauses, also of those who are fast enough on average.
    const fast = (history: number): number =>
      mean(READ_RATES.filter((rate) => rate >= 100).map((rate) => share(history, rate)));
    expect(fast(100)).toBeGreaterThan(10);
    expect(fast(50)).toBeGreaterThan(fast(100) + 20);
    expect(share(50, 200)).toBeGreaterThan(20);
  });
});

const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

describeWith('redis-server', 'a channel that all instances stream', (path) => {
  const EVENTS = 50;

  it('costs one script, one announcement to each instance, and no reads', async () => {
    const redis = await RedisServer.start(path);
    whenTestEnds(() => redis.dispose());
    const costs = [];
    for (const instances of [1, 10, 25, 50]) costs.push(await simulateHotChannel(redis, instances, EVENTS));
    await draw('hot-channel', hotChannelChart(costs));
    for (const { instances, scripts, announcements, told, bytesOut } of costs) {
      expect(scripts).toBe(1);
      expect(announcements).toBe(1);
      expect(told).toBe(instances);
      expect(bytesOut / instances).toBeGreaterThan(DATA_LENGTH);
    }
    // The rest of it are signs of life.
    const [, , , { bytesOut } = { bytesOut: 0 }] = costs;
    expect(bytesOut / 50).toBeLessThan(2 * DATA_LENGTH);
  });
});
