// `npm run matrix`: packs this checkout and runs it with other versions of Node and Nest, other run-times,
// adapters and clients, one after the other, in about a quarter of an hour. It writes its tables into
// src/sse/http/compatibility.md. What cannot be installed is said there.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, howToGet } from '../support/programs.js';
import { habitsOf } from './habits.js';
import { install, pack } from './install.js';
import { freePort, run, start } from './processes.js';
import { scenario } from './scenario.js';
import { clientTable, productTable, putMatrix } from './table.js';

const NOT_INSTALLED = 'could not be installed';

/** What the package `node` has, and run-times that resemble it. */
const runtimes = {
  'Node 20.19': { spec: 'node@20.19', command: 'node_modules/node/bin/node' },
  'Node 22': { spec: 'node@22', command: 'node_modules/node/bin/node' },
  'Node 24': { spec: 'node@24', command: 'node_modules/node/bin/node' },
  'Node 26': { spec: 'node@26', command: 'node_modules/node/bin/node' },
  Bun: { spec: 'bun@1', command: 'node_modules/.bin/bun' },
  Deno: { spec: 'deno@2', command: 'node_modules/.bin/deno', args: ['run', '-A', '--quiet'] },
};

/** On what the clients run, and the application that they are tried with. */
const NODE_OF_CLIENTS = 'Node 24';

const nests = { 'Nest 11': '11', 'Nest 12': '12' };

/** Nest's NodeAdapter is not in every registry: NEST_PLATFORM_NODE may say where it is instead. */
const adapters = {
  Express: { name: 'express', spec: (nest) => `@nestjs/platform-express@${nest}` },
  Fastify: { name: 'fastify', spec: (nest) => `@nestjs/platform-fastify@${nest}` },
  NodeAdapter: {
    name: 'node',
    spec: (nest) => process.env.NEST_PLATFORM_NODE || `@nestjs/platform-node@${nest}`,
    // There is none for Nest 11.
    since: 'Nest 12',
  },
};

const clientPackages = {
  undici: ['undici@8'],
  eventsource: ['eventsource@5'],
  'eventsource-client': ['eventsource-client@1'],
  'launchdarkly-eventsource': ['launchdarkly-eventsource@2'],
  'reconnecting-eventsource': ['reconnecting-eventsource@1'],
  'event-source-polyfill': ['event-source-polyfill@1'],
  'sse.js': ['sse.js@2'],
  '@microsoft/fetch-event-source': ['@microsoft/fetch-event-source@2'],
  '@microsoft/fetch-event-source, onclose throws': [],
  'eventsource-parser': ['eventsource-parser@4'],
  curl: [],
};
/** What comes back by a loop of ours has no habits of its own. */
const withoutHabits = ['eventsource-parser', 'curl'];

/** Of the application with popular modules. Several of them do not take Nest 12 yet. */
const neighbours = [
  ...['common', 'core', 'platform-express', 'swagger'].map((name) => `@nestjs/${name}@${nests['Nest 11']}`),
  ...['@sentry/nestjs@10', 'nestjs-cls@6', '@nestjs/throttler@6', 'express-session@1', 'helmet@8'],
  ...['compression@1', 'ioredis@5', 'eventsource@4', 'reflect-metadata@0.2', 'rxjs@7'],
];

const log = (text) => console.error(`${new Date().toISOString().slice(11, 19)}  ${text}`);

async function installed(...args) {
  try {
    return await install(...args);
  } catch (error) {
    log(
      `${args[1]}: ${NOT_INSTALLED}: ${String(error.stderr ?? error.message)
        .split('\n')
        .slice(0, 2)
        .join(' ')}`,
    );
    return undefined;
  }
}

async function installRuntimes(folder) {
  const found = {};
  for (const [name, { spec, command, args = [] }] of Object.entries(runtimes)) {
    const path = await installed(folder, name.replace(' ', '-'), [spec]);
    if (!path) continue;
    const version = (await run(join(path, command), ['--version'])).stdout.match(/\d+\.\d+\.\d+/)[0];
    found[name] = { command: join(path, command), args, version };
  }
  return found;
}

async function installApps(folder, tarball) {
  const found = {};
  const common = ['reflect-metadata@0.2', 'rxjs@7', 'lmdb@3', tarball];
  for (const [nest, version] of Object.entries(nests)) {
    for (const [adapter, { spec, since = nest }] of Object.entries(adapters)) {
      if (since !== nest) continue;
      const column = `${nest}, ${adapter}`;
      const packages = [`@nestjs/common@${version}`, `@nestjs/core@${version}`, spec(version), ...common];
      found[column] = {
        folder: await installed(folder, column.replace(', ', '-').replace(' ', '-'), packages, 'app.js'),
        adapter: adapters[adapter].name,
      };
    }
  }
  return found;
}

/** What a combination came to, in a word. */
async function tried(server, openClient) {
  try {
    const failed = await scenario(server, openClient);
    if (!failed) return 'yes';
    log(`   ${failed.step}: ${failed.why} ${failed.log.join(' ')}`);
    return failed.step === 'ends with 204' ? `yes, but ${failed.why} after 204` : `no: ${failed.step}`;
  } catch (error) {
    log(`   ${error.message}`);
    return 'no: does not start';
  }
}

const serverOf = ({ folder, adapter }, { command, args }) => ({
  folder,
  command,
  args,
  env: { ADAPTER: adapter },
});

async function products(apps, found, openClient) {
  const cells = [];
  for (const name of Object.keys(runtimes)) {
    for (const [column, app] of Object.entries(apps)) {
      const runtime = found[name];
      const row = runtime ? `${name.split(' ')[0]} ${runtime.version}` : name;
      const result = app.folder && runtime ? await tried(serverOf(app, runtime), openClient) : NOT_INSTALLED;
      log(`${row} | ${column} | ${result}`);
      cells.push({ row, column, result });
    }
  }
  return cells;
}

async function clients(server, open) {
  const rows = [];
  for (const name of Object.keys(clientPackages)) {
    const result = await tried(server, open(name));
    // What it does after 204 has a column of its own.
    const streams = result.startsWith('yes') ? 'yes' : result;
    const none = { no: 'as you write it', refused: 'as you write it', retry: 'as you write it' };
    const habits = withoutHabits.includes(name) ? none : await habitsOf(open(name));
    log(`${name} | ${Object.values(habits).join(' | ')}`);
    rows.push({ name, streams, ...habits });
  }
  return rows;
}

/** What became of the application with popular modules. */
async function beside(folder, tarball) {
  const redis = findProgram('redis-server');
  if (!redis) return `not tried: ${howToGet('redis-server')}`;
  const cwd = await installed(folder, 'neighbours', [...neighbours, tarball], 'neighbours.js');
  if (!cwd) return NOT_INSTALLED;
  const port = await freePort();
  const server = start(redis, ['--port', port, '--bind', '127.0.0.1', '--save', ''], { cwd });
  try {
    const env = { ...process.env, REDIS_URL: `redis://127.0.0.1:${port}` };
    const { stdout } = await run(process.execPath, ['neighbours.js'], { cwd, env, timeout: 60_000 });
    return stdout.trim();
  } catch (error) {
    log(`   ${error.stdout ?? ''} ${error.stderr ?? error.message}`);
    return 'no';
  } finally {
    await server.stop();
  }
}

async function main(folder) {
  const only = process.argv[2];
  const tarball = await pack(folder);
  log('installing');
  const found = await installRuntimes(folder);
  const apps = await installApps(folder, tarball);
  const clientFolder = await install(folder, 'clients', Object.values(clientPackages).flat(), 'clients.js');
  const node = found[NODE_OF_CLIENTS]?.command ?? process.execPath;
  const open = (name) => (url) => start(node, ['clients.js', name, url], { cwd: clientFolder });

  const cells = only === 'clients' ? [] : await products(apps, found, open('eventsource'));
  const neighbourly = only === 'clients' ? '' : await beside(folder, tarball);
  const server = serverOf(apps['Nest 12, Express'], { command: node, args: [] });
  const rows = only === 'products' ? [] : await clients(server, open);
  const text = report(cells, neighbourly, rows, found[NODE_OF_CLIENTS]?.version ?? process.version);
  console.log(text);
  if (only) return;
  const guide = new URL('../../src/sse/http/compatibility.md', import.meta.url);
  await writeFile(guide, putMatrix(await readFile(guide, 'utf8'), text));
}

function report(cells, neighbourly, rows, version) {
  const on = `${new Date().toISOString().slice(0, 10)}, ${process.platform} ${process.arch}`;
  return [
    `Run on ${on}. "Yes" means that the application streams and stops on SIGTERM while the stream is\nopen, that the client resumes without a loss after a restart, and that a 204 stops the client.`,
    productTable(cells),
    `A Nest 11 application with \`@sentry/nestjs\`, \`nestjs-cls\`, \`@nestjs/throttler\`, \`@nestjs/swagger\`,\n\`express-session\`, \`helmet\`, \`compression\`, \`ioredis\` and a response envelope that streams, resumes and stops: ${neighbourly}.`,
    `The clients ran on Node ${version}. The last three columns are what each does by itself after a 204, while the\nserver is down for 3 seconds, and after a 200 response with only a \`retry:\`:`,
    clientTable(rows),
  ].join('\n\n');
}

const folder = await mkdtemp(join(tmpdir(), 'nestjs-sse-hub-matrix-'));
try {
  await main(folder);
} finally {
  await rm(folder, { recursive: true, force: true });
}
