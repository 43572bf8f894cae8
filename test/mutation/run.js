// `npm run mutation -- --room streams --seed 1 --count 40`: changes the source of a room in 40 places, one at
// a time, and shows which changes no test of the room notices. Each of those is a rule without a test, or
// code that nobody needs.
//
// It works on a copy. Stryker's instrumenter puts every mutant of the room into it, each behind a switch; a
// first run without mutants tells which specs reach which mutants; then each mutant that the seed picks is
// switched on, and the specs that reach it run, the quickest first, until one test fails.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { Instrumenter } from '@stryker-mutator/instrumenter';
import { seededRandom, shuffled } from '../bench/random.js';
import { guardsOf, readOptions, usage } from './options.js';

/** How many times as long as without it the specs may take with a mutant: what goes on for longer has been noticed. */
const SLOWDOWN = 3;

/** Jest's own start. */
const START_MILLISECONDS = 10_000;

const NO_LOGGER = { debug() {}, info() {}, isDebugEnabled: () => false };

const root = resolve(import.meta.dirname, '../..');
const options = readOptions(process.argv.slice(2));
if (options.help) {
  console.log(usage);
  process.exit();
}

const copy = mkdtempSync(join(tmpdir(), 'nestjs-sse-hub-mutation-'));
try {
  await run();
} finally {
  rmSync(copy, { recursive: true });
}

async function run() {
  copyTree();
  const mutants = await instrument(`src/sse/${options.room}`);
  const specs = reached();
  const picked = shuffled(mutants, seededRandom(options.seed)).slice(0, options.count);
  console.log(`${mutants.length} mutants in ${options.room}, ${picked.length} tried.`);
  const results = picked.map((mutant) => {
    const reaching = specs.filter(({ reaches }) => mutant.id in reaches);
    const result = {
      ...mutant,
      ...(reaching.length > 0 ? outcome(mutant, reaching) : { status: 'not reached' }),
    };
    console.log(lineOf(result));
    return result;
  });
  const survivors = results.filter(({ status }) => status === 'survived' || status === 'not reached');
  console.log(`${options.room}: ${results.length - survivors.length} of ${results.length} noticed.`);
  if (options.out) writeFileSync(options.out, JSON.stringify(results, undefined, 2));
}

function copyTree() {
  const guides = readdirSync(root).filter((name) => name.endsWith('.md'));
  for (const name of ['src', 'test', 'package.json', 'jest.config.js', ...guides]) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  for (const name of ['node_modules', 'dist']) symlinkSync(join(root, name), join(copy, name));
}

/** Puts all mutants into the files of a folder of the copy, and describes them. */
async function instrument(folder) {
  const names = readdirSync(join(copy, folder), { recursive: true }).filter(
    // The inspector's page runs in browsers, and their specs are not run here.
    (name) => name.endsWith('.ts') && !name.startsWith('page/'),
  );
  const files = names.sort().map((name) => {
    const path = join(copy, folder, name);
    return { name: path, content: readFileSync(path, 'utf8'), mutate: true };
  });
  const result = await new Instrumenter(NO_LOGGER).instrument(files, {
    plugins: null,
    ignorers: [],
    excludedMutations: [],
  });
  for (const { name, content } of result.files) writeFileSync(name, content);
  const contents = new Map(files.map(({ name, content }) => [name, content.split('\n')]));
  return result.mutants.map(({ id, fileName, location, mutatorName, replacement }) => ({
    id,
    file: relative(copy, fileName),
    line: location.start.line + 1,
    column: location.start.column + 1,
    mutator: mutatorName,
    source: contents.get(fileName)[location.start.line].trim(),
    replacement,
  }));
}

/**
 * Runs the room's specs without a mutant.
 *
 * @returns each spec with its time and the ids of the mutants that it reaches, the quickest first
 */
function reached() {
  const out = join(copy, 'reached.jsonl');
  const { status, stderr } = jest(guardsOf(options.room), { MUTATION_REACHED: out });
  if (status !== 0) throw new Error(`The tests of ${options.room} fail without a mutant:\n${stderr}`);
  const lines = readFileSync(out, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line)).sort((a, b) => a.milliseconds - b.milliseconds);
}

/** Whether a test notices the mutant, and which. */
function outcome({ id }, specs) {
  const failure = join(copy, 'failure.txt');
  rmSync(failure, { force: true });
  const paths = specs.map(({ spec }) => spec);
  const usual = specs.reduce((sum, { milliseconds }) => sum + milliseconds, START_MILLISECONDS);
  const environment = {
    __STRYKER_ACTIVE_MUTANT__: id,
    MUTATION_SPECS: paths.join('\n'),
    MUTATION_FAILURE: failure,
  };
  const { status, error } = jest(paths, environment, SLOWDOWN * usual);
  if (error?.code === 'ETIMEDOUT') return { status: 'timed out' };
  if (status === 0) return { status: 'survived' };
  return {
    status: 'killed',
    by: existsSync(failure) ? readFileSync(failure, 'utf8') : 'the end of the process',
  };
}

function jest(paths, environment, timeout) {
  const node = ['--disable-warning=ExperimentalWarning', '--experimental-vm-modules'];
  const config = ['--config', 'test/mutation/jest.config.js', '--runInBand'];
  return spawnSync(process.execPath, [...node, 'node_modules/jest/bin/jest.js', ...config, ...paths], {
    cwd: copy,
    env: { ...process.env, ...environment },
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    timeout,
    killSignal: 'SIGKILL',
  });
}

function lineOf({ status, file, line, column, mutator, source, replacement, by }) {
  const change = `${source}  →  ${replacement.replace(/\s+/g, ' ').slice(0, 80)}`;
  return `${status.padEnd(11)} ${file}:${line}:${column} ${mutator}: ${change}${by ? `\n            by ${by}` : ''}`;
}
