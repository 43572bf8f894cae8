import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { chartOf } from './chart.js';
import { markdownOf } from './report.js';
import { measuredIn } from './tables.js';

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const README = at('README.md');
const GUIDE = at('src/sse/http/speed.md');
const CHART = at('src/sse/http/speed.svg');
const RUNS = at('test/bench/results.jsonl');

/**
 * Puts the figures into README, the guide and its chart, and every run into `results.jsonl`.
 *
 * @param {Awaited<ReturnType<import('./network.js').benchNetwork>>} result
 * @param {{ at: string, seed: number, reps: number }} how it was measured
 */
export async function writeResults({ machine, tables, runs }, { at: date, seed, reps }) {
  const [systems] = tables;
  const day = date.slice(0, 10);
  const isShown = isEverywhere(systems);
  const note = `Median of ${reps} runs, the line from the least to the most; × of bare sockets, of a bare Nest route for idle streams. ${day}`;
  const chart = chartOf(systems, runs, {
    title: 'What an event, and what a stream costs the server: less is better',
    note,
    own: 'nestjs-sse-hub',
    isShown,
  });
  const how = `${day}, ${reps} ${reps === 1 ? 'repetition' : 'repetitions'}; ${await versionsOf(systems)}; ${machine}.`;
  await edit(README, { summary: markdownOf(systems, runs, 'ratios', isShown), machine: how });
  await edit(GUIDE, {
    ...Object.fromEntries(tables.map((table) => [table.name, markdownOf(table, runs, 'figures')])),
    machine: how,
  });
  await writeFile(CHART, chart);
  const lines = [{ at: date, machine, seed, reps }, ...runs];
  await writeFile(RUNS, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

/** What was compared, as it is installed here. */
async function versionsOf({ systems }) {
  const packages = ['@nestjs/core', 'better-sse', ...systems.flatMap(({ needs = [] }) => needs)];
  const versions = packages.map(async (name) => {
    const { version } = JSON.parse(await readFile(at(`node_modules/${name}/package.json`), 'utf8'));
    return `${name} ${version}`;
  });
  return (await Promise.all(versions)).join(', ');
}

/** Whether a system is in every row of the table. */
function isEverywhere(table) {
  const everywhere = table.systems.filter((system) =>
    table.scenarios.every((scenario) => measuredIn(table, scenario).includes(system)),
  );
  return (name) => everywhere.some((system) => system.name === name);
}

async function edit(path, blocks) {
  const text = await readFile(path, 'utf8');
  const edited = Object.entries(blocks).reduce((all, [name, block]) => withBlock(all, name, block), text);
  await writeFile(path, await format(edited, { ...(await resolveConfig(path)), parser: 'markdown' }));
}

/**
 * The text with something else between `<!-- bench: NAME -->` and `<!-- bench end -->`.
 *
 * @throws when there is no such place
 */
export function withBlock(text, name, block) {
  const begin = `<!-- bench: ${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf('<!-- bench end -->', from);
  if (from < 0 || to < 0) throw new Error(`There is no place for the bench's ${name}.`);
  return `${text.slice(0, from)}${begin}\n\n${block}\n\n${text.slice(to)}`;
}
