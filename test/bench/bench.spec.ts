import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { whenTestEnds } from '../support/clean-up.js';
import { describeWith } from '../support/describe-with.js';
import { run } from '../support/process.js';
import { percentile, table as backplanesTable } from './backplanes/report.js';
import { guides } from '../docs/guides.js';
import { chartOf } from './chart.js';
import { EventCheck } from './event-check.js';
import { BenchEvents } from './events.js';
import { measure } from './measure.js';
import { benchNetwork } from './network.js';
import { markdownOf, type Run as NetworkRun } from './report.js';
import { ResponseBody } from './response-body.js';
import { full, measuredIn } from './tables.js';
import { withBlock } from './write.js';

const script = fileURLToPath(new URL('./run.js', import.meta.url));
type Run = Awaited<ReturnType<typeof benchNetwork>>['runs'][number];

const seed = 7;
const tiny = { name: 'tiny', streams: 15, perTurn: 3, turns: 4, rounds: 2, warmUp: 1, calm: 0 };
/** What is measured without installing anything, each with what its table has of payloads and clients. */
const measured = full.flatMap(({ name, systems, scenarios: [scenario] }) =>
  systems
    .filter(({ needs }) => needs === undefined)
    .map((system) => ({ name: `${name}: ${system.name}`, system, scenario: scenario! })),
);
const [floor] = full[0]!.systems;
const faulty = (fault: string) => ({ name: fault, script: 'servers/faulty.js', args: [fault] });

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n';
const plainHead = `${HEAD}\r\n`;
const chunkedHead = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

const bytesOf = (text: string): string[] => text.split('');

const lines = new BenchEvents(seed).lines(6);
const event = (seq: number): string => `id: x-${seq}\ndata: ${lines[seq]!}\n\n`;
const events = (...seqs: number[]): string => seqs.map(event).join('');

/** How many right events are in these pieces of a response. */
function check(...pieces: string[]): number {
  const body = new ResponseBody();
  const checked = new EventCheck(lines);
  for (const piece of pieces) checked.take(body.take(piece));
  return checked.count;
}

describe("the bench's check of a stream", () => {
  const others = `: hello\n\nretry: 2000\n\nid: x-0\n\n\n`;

  it.each([
    ['an unframed response', plainHead + others + events(0, 1, 2, 3)],
    [
      'chunks of an event',
      chunkedHead + chunk(others) + [0, 1, 2, 3].map((seq) => chunk(event(seq))).join(''),
    ],
    ['a chunk of several', chunkedHead + chunk(others + events(0, 1)) + chunk(events(2, 3))],
    [
      'no spaces after the colons',
      plainHead + `event:message\nid:1\ndata:${lines[0]!}\n\n` + events(1, 2, 3),
    ],
  ])('counts the events of %s, wherever the pieces end', (_, response) => {
    expect(check(response)).toBe(4);
    expect(check(...bytesOf(response))).toBe(4);
    for (let i = 1; i < response.length; i++) expect(check(response.slice(0, i), response.slice(i))).toBe(4);
  });

  it.each([
    ['a missing event', events(0, 1, 3), 'event 3 came where event 2 was due'],
    ['a doubled event', events(0, 1, 1), 'event 1 came again, or late, where event 2 was due'],
    ['events out of order', events(0, 2, 1), 'event 2 came where event 1 was due'],
    ['a changed event', `${event(0)}data: ${lines[1]!.replace('}', ' }')}\n\n`, 'never published'],
    ['one too many', `${events(0, 1, 2, 3, 4, 5)}data: {"seq":6,"text":""}\n\n`, 'never published'],
    ['a gap that is told', `${event(0)}event: gap\ndata: {}\n\n`, 'an event of type "gap"'],
    ['two events in one block', `${event(0)}data: ${lines[1]!}\ndata: ${lines[2]!}\n\n`, 'two lines of data'],
    ['bytes of another protocol', `${event(0)}HTTP/1.1 500\n\n`, 'no line of an event stream'],
  ])('finds %s', (_, body, message) => {
    expect(() => check(plainHead + body)).toThrow(message);
    expect(() => check(...bytesOf(chunkedHead + chunk(body)))).toThrow(message);
  });

  it.each([
    ['a refusal', 'HTTP/1.1 503 Service Unavailable\r\n\r\n', 'the answer was "HTTP/1.1 503'],
    ['a page', 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n', 'no event stream'],
    ['the end of the stream', chunkedHead + chunk(event(0)) + chunk(''), 'ended the stream'],
    [
      'a chunk that is too long',
      chunkedHead + chunk(event(0)).replace(/\r\n$/, 'x\r\n'),
      'as long as it says',
    ],
    ['a chunk without size', `${chunkedHead}${event(0)}\r\n`, 'no size of a chunk'],
  ])('finds %s', (_, response, message) => {
    expect(() => check(response)).toThrow(message);
  });

  it('does not count what is not whole', () => {
    expect(check(plainHead + events(0, 1).slice(0, -1))).toBe(1);
    expect(check(chunkedHead + chunk(event(0)) + chunk(event(1)).slice(0, -1))).toBe(1);
  });
});

describe('the bench', () => {
  it('makes the same events of the same seed only', () => {
    expect(new BenchEvents(seed).lines(6)).toEqual(lines);
    expect(new BenchEvents(seed + 1).lines(6)).not.toEqual(lines);
  });

  it.each([80, 200, 2_000])('makes texts and orders of about %i bytes', (bytes) => {
    for (const kind of ['text', 'orders'] as const) {
      const lines = new BenchEvents(seed, { of: kind, bytes }).lines(200);
      const mean = lines.join('').length / lines.length;
      // An order has its fields, however short it is to be.
      expect(mean).toBeGreaterThan(bytes * 0.9);
      if (kind === 'text' || bytes > 100) expect(mean).toBeLessThan(bytes * 1.15);
      expect(new Set(lines).size).toBe(200);
    }
  });

  it.each(measured)('gets every event of $name', async ({ system, scenario: { payload, accepts } }) => {
    const figures = await measure(
      system,
      { ...tiny, payload: payload!, ...(accepts && { accepts }) },
      { seed },
    );
    expect(figures).toMatchObject({ deliveries: 15 * 3 * 4 * 2, cpuPerDelivery: expect.any(Number) });
    const isCompressed = /compress|gzip/.test(system.name);
    expect(figures.bytesPerDelivery! < 0.8 * payload!.bytes).toBe(isCompressed);
  });

  it('measures the memory and the opening of a stream', async () => {
    const figures = await measure(floor!, { name: 'idle', streams: 5, idle: 1, calm: 0 }, { seed });
    expect(figures).toEqual({
      streams: 5,
      memoryPerStream: expect.any(Number),
      heapPerStream: expect.any(Number),
      cpuPerOpening: expect.any(Number),
    });
  });

  it('knows what a server puts around the data of an event', async () => {
    const wrapping = { ...faulty('wraps'), around: ['{"payload":', '}'] as const };
    await expect(measure(wrapping, tiny, { seed })).resolves.toMatchObject({ deliveries: 360 });
    await expect(measure(faulty('wraps'), tiny, { seed })).rejects.toThrow('never published');
  });

  it.each([
    ['loses', 'event 8 came where event 7 was due'],
    ['doubles', 'event 7 came again, or late, where event 8 was due'],
    ['changes', 'there came what was never published, where event 7 was due'],
    ['dies', /faulty\.js ended|closed the connection|ECONNRESET/],
    ['compresses nothing', 'incorrect header check'],
  ])('fails where a server, at an event in the middle, %s', async (fault, message) => {
    await expect(measure(faulty(fault), tiny, { seed })).rejects.toThrow(message);
  });

  it.each([
    ['loses', '15 of 15 streams lack events (stream 1 has 7 of 8) after 200 ms'],
    ['doubles', 'event 7 came again, or late, where event 8 was due'],
  ])('fails where a server, at the last event, %s', async (fault, message) => {
    const eight = { ...tiny, perTurn: 4, turns: 1, rounds: 1, warmUp: 1 };
    const measured = measure(faulty(fault), eight, { seed, patience: fault === 'loses' ? 200 : 10_000 });
    await expect(measured).rejects.toThrow(message);
  });

  it('runs everything in turns, and says what failed and what is not installed', async () => {
    const table = {
      name: 'beside',
      floor: 'bare sockets',
      systems: [
        floor!,
        faulty('loses'),
        { name: 'other', script: 'servers/other.js', needs: 'no-such-package' },
      ],
      figures: ['cpuPerDelivery'],
      scenarios: [tiny, { name: 'idle', streams: 5, idle: 1, calm: 0 }],
    };
    const result = await benchNetwork({ tables: [table], reps: 1, seed, isPinned: false }, () => undefined);
    expect(result.isRight).toBe(false);
    expect(result.runs).toHaveLength(4);
    const [head, , fanOut] = result.table.split('\n');
    expect(head).toBe('|  | bare sockets | loses |');
    expect(fanOut).toMatch(/^\| tiny: µs \| [\d.]+ \([\d.–]+\) \| failed \|$/);
    expect(result.table).toContain('npm install --no-save no-such-package');
  });

  it('has a place in README and in the guide for all that it writes', () => {
    const [readme, guide] = [guides.get('README.md')!, guides.get('src/sse/http/speed.md')!];
    for (const name of ['summary', 'machine'])
      expect(withBlock(readme, name, 'new')).toContain('\n\nnew\n\n');
    for (const name of [...full.map((table) => table.name), 'machine'])
      expect(withBlock(guide, name, 'new')).toContain('\n\nnew\n\n');
    expect(() => withBlock(readme, 'weather', 'new')).toThrow("no place for the bench's weather");
    const before = 'a\n<!-- bench: x -->\n\nold\n\n<!-- bench end -->\nb';
    expect(withBlock(before, 'x', 'new')).toBe(before.replace('old', 'new'));
  });

  it('has a micro-bench that works, and writes its figures to a file', async () => {
    const out = join(tmpdir(), `micro-${process.pid}.json`);
    whenTestEnds(() => rm(out, { force: true }));
    const { stdout } = await run(process.execPath, [script, '--micro', '--quick', '--out', out]);
    expect(stdout).toContain('| encode an event |');
    const { runs } = JSON.parse(await readFile(out, 'utf8'));
    expect(runs.length).toBeGreaterThan(3);
  });

  it('takes a channel away from all streams of a user, and from no others', async () => {
    const out = join(tmpdir(), `revoke-${process.pid}.json`);
    whenTestEnds(() => rm(out, { force: true }));
    const { stdout } = await run(process.execPath, [script, '--revoke', '--quick', '--out', out]);
    expect(stdout).toContain('| the last stream was told, on its socket: ms |');
    const { runs } = JSON.parse(await readFile(out, 'utf8'));
    expect(runs).toEqual([
      {
        repetition: 1,
        figures: { here: expect.any(Number), told: expect.any(Number), cpu: expect.any(Number) },
      },
    ]);
  });

  it('says what a page of many channels costs', async () => {
    const out = join(tmpdir(), `dashboard-${process.pid}.json`);
    whenTestEnds(() => rm(out, { force: true }));
    await run(process.execPath, [script, '--dashboard', '--quick', '--out', out]);
    const { published, bytes } = JSON.parse(await readFile(out, 'utf8'));
    expect(bytes['own ids'] / published.bytes).toBeLessThan(3);
    expect(bytes['ids of all channels'] / published.bytes).toBeGreaterThan(10);
  });

  it('measures what growing costs', async () => {
    const out = join(tmpdir(), `growing-${process.pid}.json`);
    whenTestEnds(() => rm(out, { force: true }));
    // The servers have tests of their own, and take longer.
    const env = { ...process.env, REDIS_SERVER_PATH: '/missing', NATS_SERVER_PATH: '/missing' };
    await run(process.execPath, [script, '--growing', '--quick', '--out', out], { env });
    const { runs } = JSON.parse(await readFile(out, 'utf8'));
    expect(runs.map(({ measurement }: { measurement: string }) => measurement)).toEqual([
      'coming back',
      'heartbeats',
      'a channel for each stream',
      'channels without streams',
    ]);
    for (const { figures } of runs) expect(Object.values(figures)).not.toContain(NaN);
  });

  it('says what the inspector costs a delivery', async () => {
    const out = join(tmpdir(), `inspector-${process.pid}.json`);
    whenTestEnds(() => rm(out, { force: true }));
    const { stdout } = await run(process.execPath, [script, '--inspector', '--quick', '--out', out]);
    expect(stdout).toContain('| its page is open, with figures, tail and list |');
    const { runs } = JSON.parse(await readFile(out, 'utf8'));
    expect(runs.map(({ figures }: { figures: { deliveries: number } }) => figures.deliveries)).toEqual([
      500, 500, 500,
    ]);
  });

  it('measures a herd, which loses nothing', async () => {
    const out = join(tmpdir(), `herd-${process.pid}.json`);
    whenTestEnds(() => rm(out, { force: true }));
    const { stdout } = await run(process.execPath, [script, '--herd', '--quick', '--out', out]);
    expect(stdout).toContain('| SIGTERM to the end of the process: ms |');
    const { runs, sizes } = JSON.parse(await readFile(out, 'utf8'));
    expect(runs.map(({ system }: Run) => system)).toEqual(['node:http', 'nestjs-sse-hub']);
    for (const { figures } of runs) {
      expect(figures.sentAway).toBe(sizes.streams);
      expect(Object.values(figures)).not.toContain(NaN);
    }
  });

  it('refuses what it does not know', async () => {
    await expect(run(process.execPath, [script, '--fast'])).rejects.toThrow('npm run bench -- [options]');
    await expect(run(process.execPath, [script, '--reps', '0'])).rejects.toThrow(
      'a whole number of at least 1',
    );
    await expect(run(process.execPath, [script, '--micro', '--backplanes'])).rejects.toThrow('are two runs');
    await expect(run(process.execPath, [script, '--write', '--quick'])).rejects.toThrow('no figures');
    await expect(run(process.execPath, [script, '--write', '--micro'])).rejects.toThrow('no place for');
  });
});

describe("the bench's report", () => {
  const table = {
    name: 'beside',
    floor: 'floor',
    systems: ['floor', 'other', 'a < b'].map((name) => ({ name, script: '' })),
    figures: ['cpuPerDelivery'],
    scenarios: [
      { ...tiny, name: 'few', without: ['a < b'] },
      { name: 'idle', floor: 'other', streams: 5, idle: 1, calm: 0 },
    ],
  };
  const runs: NetworkRun[] = [];
  // The third repetition is disturbed, and with it both systems.
  for (const [i, slowness] of [1, 2, 10].entries()) {
    const add = (scenario: string, system: string, figures: Record<string, number>): number =>
      runs.push({ table: 'beside', scenario, system, repetition: i + 1, figures });
    add('few', 'floor', { cpuPerDelivery: slowness });
    add('few', 'other', { cpuPerDelivery: slowness * (3 + i) });
    add('idle', 'floor', { memoryPerStream: 2_048, cpuPerOpening: 50 });
    add('idle', 'other', { memoryPerStream: 4_096, cpuPerOpening: 100 });
  }
  runs.push({
    table: 'beside',
    scenario: 'idle',
    system: 'a < b',
    repetition: 1,
    error: 'the server was gone',
  });

  it('compares each repetition with the floor of the same, and says what failed', () => {
    expect(markdownOf(table, runs, 'ratios').split('\n')).toEqual([
      '|  | floor | other | a < b |',
      '| --- | ---: | ---: | ---: |',
      '| few: µs | 2.00 (1.00–10.0) | **4.00×** (3.00–5.00) |  |',
      '| idle: KiB each | **0.50×** (0.50–0.50) | 4.00 (4.00–4.00) | failed |',
      '| idle: µs to open one | **0.50×** (0.50–0.50) | 100 (100–100) | failed |',
    ]);
    expect(markdownOf(table, runs, 'figures')).toContain('| 8.00 (3.00–50.0) **4.00×** |');
    expect(markdownOf(table, runs, 'figures', (name) => name !== 'other')).not.toContain('other');
  });

  it('draws a panel for each row, with a bar as long as its figure', () => {
    const svg = chartOf(table, runs, { title: 'Costs', note: 'now', own: 'other' });
    expect(svg.match(/<g /g)).toHaveLength(3);
    const widthsOf = (panel: number): number[] =>
      [...svg.split('<g ')[panel]!.matchAll(/<rect class="bar[^>]* width="([\d.]+)"/g)].map((bar) =>
        Number(bar[1]),
      );
    const [short, long] = widthsOf(1);
    expect(long! / short!).toBeCloseTo(4, 0);
    expect(widthsOf(2)).toHaveLength(2);
    expect(svg).toContain('>8.00 · 4.00×</text>');
    expect(svg).toContain('>a &lt; b</text>');
    expect(svg).toContain('>failed</text>');
  });

  it('leaves out of a scenario what does nothing else there', () => {
    expect(measuredIn(table, table.scenarios[0]!).map(({ name }) => name)).toEqual(['floor', 'other']);
  });
});

describe("the bench's report of backplanes", () => {
  const figures = (system: string, scenario: string, some: Record<string, number>, repetition = 1) => ({
    system,
    scenario,
    repetition,
    figures: some,
  });
  const runs = [
    figures('memory', 'fan-out', { cpuPerDelivery: 2 }),
    figures('nats', 'fan-out', { cpuPerDelivery: 3 }),
    figures('nats', 'latency', { bareP50: 1, hubP50: 2, bareP99: 10, hubP99: 15 }),
    ...[400, 500, 600].map((hub, i) => figures('nats', 'publishing', { bare: 900, alike: 1_000, hub }, i)),
    { system: 'nats', scenario: 'resuming', repetition: 1, error: 'the server was gone' },
  ];

  it('compares the hub with a bare client and with memory, and says what failed', () => {
    const rows = backplanesTable(runs, [{ name: 'nats', title: 'NATS' }])
      .split('\n')
      .slice(2);
    expect(rows.map((row) => row.split(' | ').slice(1).join(' | '))).toEqual([
      '1.00 (1.00–1.00) | 2.00 (2.00–2.00) **2.00×** |  |',
      '10.0 (10.0–10.0) | 15.0 (15.0–15.0) **1.50×** |  |',
      '1000 (1000–1000) | 500 (400–600) **0.50×** | at least 0.70× |',
      '2.00 (2.00–2.00) | 3.00 (3.00–3.00) **1.50×** | at most 1.05× |',
      ' | failed | 1 |',
    ]);
  });

  it('knows percentiles', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect([50, 99, 100].map((percent) => percentile(hundred, percent))).toEqual([50, 99, 100]);
    expect(percentile([7], 50)).toBe(7);
  });
});

describe.each([
  { name: 'redis', program: 'redis-server', other: 'nats-server', without: 'NATS_SERVER_PATH' },
  { name: 'nats', program: 'nats-server', other: 'redis-server', without: 'REDIS_SERVER_PATH' },
] as const)('the bench of backplanes', ({ name, program, other, without }) => {
  describeWith(program, `with ${program}`, () => {
    it(`measures everything, and leaves out ${other} if it is missing`, async () => {
      const out = join(tmpdir(), `backplanes-${name}-${process.pid}.json`);
      whenTestEnds(() => rm(out, { force: true }));
      const args = [script, '--backplanes', '--quick', '--out', out];
      const { stdout } = await run(process.execPath, args, {
        env: { ...process.env, [without]: '/missing' },
      });
      expect(stdout).toContain(`Left out: ${other} is missing`);
      const { runs } = JSON.parse(await readFile(out, 'utf8'));
      const scenariosOf = (system: string): string[] =>
        runs.filter((one: Run) => one.system === system).map(({ scenario }: Run) => scenario);
      expect(scenariosOf('memory')).toEqual(['fan-out']);
      expect(scenariosOf(name)).toEqual(['latency', 'publishing', 'fan-out', 'resuming']);
      const { figures } = runs.find(
        ({ system, scenario }: Run) => system === name && scenario === 'resuming',
      );
      // However many clients there are.
      expect(figures.rangeReads).toBe(1);
    });
  });
});
