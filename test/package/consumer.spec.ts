import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EventSource } from 'eventsource';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { root, run, start } from '../support/process.js';
import { commonJsFiles, consumerFiles, instancesFiles, pageFiles } from './consumer.files.js';
import { guides } from '../docs/guides.js';
import { linksOf } from '../docs/markdown.js';

interface Manifest {
  name: string;
  version: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional?: boolean }>;
  devDependencies: Record<string, string>;
  scripts: Record<string, string>;
}

/** What the root entry needs. Every Nest app has them, and a front-end must not get them. */
const peers = ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs'];
/** What single entries need: the backplanes, the hooks, and those for running an application. */
const optionalPeers = [
  ...['@nats-io/jetstream', '@nats-io/transport-node', 'ioredis', 'lmdb', 'react', 'redis'],
  ...['@nestjs/swagger', '@nestjs/terminus', '@opentelemetry/api', 'prom-client'],
];
/** What an empty Nest app has beside the peers, and the types it compiles with. */
const appNeeds = ['@nestjs/platform-express', '@types/express', '@types/node'];
/** The oldest Nest that the package runs on; it has no @SseSignal() yet. */
const OLDEST_NEST = '11.0.0';

interface App {
  readonly files: Record<string, string>;
  /** Packages beside this one. */
  readonly packages: string[];
  readonly type?: 'module' | 'commonjs';
  /** Version of Nest's packages, if not the one that is tested with here. */
  readonly nest?: string;
}

/** The applications that the package is installed into, by their folders. */
const apps = {
  page: { files: pageFiles, packages: [] },
  old: { files: {}, packages: ['@nestjs/common'], nest: '10.4.15' },
  app: { files: consumerFiles, packages: [...peers, ...appNeeds] },
  commonjs: {
    files: commonJsFiles,
    // No version of @nestjs/swagger runs on the oldest Nest 11, and no entry here loads it.
    packages: [...peers, ...optionalPeers.filter((name) => name !== '@nestjs/swagger'), ...appNeeds],
    type: 'commonjs',
    nest: OLDEST_NEST,
  },
  instances: { files: instancesFiles, packages: [...peers, ...optionalPeers, '@types/node'] },
} satisfies Record<string, App>;
type AppName = keyof typeof apps;

describe('the package as a user gets it', () => {
  const installed = new Map<AppName, Promise<void>>();
  let folder: string;
  let tarball: string;
  let files: string[];
  let manifest: Manifest;

  beforeAll(async () => {
    if (!existsSync(join(root, 'dist/index.js'))) throw new Error('Run `npm run build` first.');
    folder = await mkdtemp(join(tmpdir(), 'nestjs-sse-hub-'));
    // Scripts are off: what is packed is the build that `npm test` has made.
    const { stdout } = await run(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder],
      { cwd: root },
    );
    const [packed] = Object.values(JSON.parse(stdout)) as [{ filename: string; files: { path: string }[] }];
    tarball = join(folder, packed.filename);
    files = packed.files.map(({ path }) => path);
    manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    // All at once, as npm waits for the registry most of the time. The test of each waits for it.
    for (const [name, app] of Object.entries(apps)) {
      const installing = install(join(folder, name), app);
      installing.catch(() => undefined);
      installed.set(name as AppName, installing);
    }
  });

  afterAll(async () => {
    await Promise.allSettled(installed.values());
    await rm(folder, { recursive: true, force: true });
  });

  it('holds the library, its types and its papers, and nothing of the demo app', () => {
    const charts = ['hot-channel', 'restart', 'slow-clients'].map(
      (name) => `src/sse/cluster/growing-${name}.svg`,
    );
    const inspector = ['NOTICES.txt', 'icon.svg', 'index.html', 'page.css'].map(
      (name) => `dist/sse/inspector/public/${name}`,
    );
    const isCode = (path: string) => /^dist\/(index|sse\/.+)\.(js|d\.ts)$/.test(path);
    expect(files.filter((path) => !isCode(path)).sort()).toEqual(
      [
        'CHANGELOG.md',
        'LICENSE',
        'package.json',
        'test/docs/chat.png',
        'test/docs/inspector.png',
        ...charts,
        ...inspector,
        'src/sse/http/speed.svg',
        'src/sse/metrics/grafana.json',
        ...guides.keys(),
      ].sort(),
    );
    expect(files).toEqual(
      expect.arrayContaining([
        ...['dist/index.js', 'dist/index.d.ts', 'dist/sse/index.js', 'dist/sse/index.d.ts'],
      ]),
    );
  });

  it('names Nest, rxjs and what its backplanes need, asks for none, and runs no script when it is installed', () => {
    const names = Object.keys(manifest.peerDependencies).sort();
    expect(names).toEqual([...peers, ...optionalPeers].sort());
    expect(names.filter((name) => manifest.peerDependenciesMeta[name]?.optional !== true)).toEqual([]);
    // The first has types only: nothing of it runs. The second is for the client alone.
    expect(Object.keys(manifest.dependencies ?? {})).toEqual(['@standard-schema/spec', 'eventsource-parser']);
    expect(manifest.optionalDependencies).toBeUndefined();
    const atInstall = ['preinstall', 'install', 'postinstall', 'prepare', 'preprepare', 'postprepare'];
    expect(Object.keys(manifest.scripts).filter((name) => atInstall.includes(name))).toEqual([]);
  });

  it('names no file outside of itself', async () => {
    for (const path of files.filter((file) => /\.(js|d\.ts)$/.test(file))) {
      const code = await readFile(join(root, path), 'utf8');
      expect(code).not.toContain(root);
      // The code is what a source map would lead to, but for the types.
      expect(code).not.toContain('sourceMappingURL');
    }
  });

  it('has no link that leads nowhere in its papers', async () => {
    const papers = new Map<string, ReturnType<typeof linksOf>>();
    for (const path of files.filter((file) => file.endsWith('.md')))
      papers.set(path, linksOf(await readFile(join(root, path), 'utf8')));
    const leads = (link: string, from: string): boolean => {
      const [path = '', anchor] = link.split('#');
      if (/^https?:/.test(link)) return true;
      const target = path ? posix.join(posix.dirname(from), path) : from;
      if (anchor !== undefined) return papers.get(target)?.anchors.has(anchor) === true;
      return files.includes(target);
    };
    for (const [path, { links }] of papers)
      expect([path, links.filter((link) => !leads(link, path))]).toEqual([path, []]);
  });

  async function install(app: string, { files, packages, type = 'module', nest }: App): Promise<void> {
    const versionOf = (name: string) =>
      (name.startsWith('@nestjs/') ? nest : undefined) ?? manifest.devDependencies[name];
    const versions = packages.map((name) => [name, versionOf(name)] as const);
    await mkdir(app);
    for (const [name, content] of Object.entries(files)) await writeFile(join(app, name), content);
    await writeFile(
      join(app, 'package.json'),
      JSON.stringify({
        ...{ name: 'consumer', version: '1.0.0', private: true, type },
        dependencies: { ...Object.fromEntries(versions), [manifest.name]: `file:${tarball}` },
      }),
    );
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: app,
    });
  }

  /** @returns the folder of an application that has the package */
  async function withPackage(name: AppName): Promise<string> {
    await installed.get(name);
    return join(folder, name);
  }

  /** What TypeScript has against it: it says so on stdout, which the rejection carries. */
  async function mistakesIn(app: string, ...args: string[]): Promise<string> {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const compiled = run(process.execPath, [tsc, ...args], { cwd: app }).then(({ stdout }) => stdout);
    return compiled.catch((error: unknown) => (error as { stdout: string }).stdout);
  }

  /** Starts the app, and sees that a client gets what is published. */
  async function expectToStream(app: string): Promise<void> {
    const server = await start(process.execPath, ['dist/main.js'], /listening on (http:\S+)/, { cwd: app });
    const source = new EventSource(`${server.match[1] ?? ''}/orders/7/events`);
    try {
      const shipped = new Promise<MessageEvent>((resolve) => source.addEventListener('shipped', resolve));
      await new Promise((resolve) => source.addEventListener('open', resolve));
      const response = await fetch(`${server.match[1] ?? ''}/orders/7/ship`, { method: 'POST' });
      const id = await response.text();

      expect(response.status).toBe(201);
      expect(await shipped).toMatchObject({ data: '{"order":"7"}', lastEventId: id });
      expect(id).not.toBe('');
    } finally {
      source.close();
      await server.stop('SIGKILL');
    }
  }

  it('comes without Nest and rxjs into a front-end, which compiles and runs', async () => {
    const app = await withPackage('page');
    const lock = JSON.parse(await readFile(join(app, 'package-lock.json'), 'utf8')) as { packages: object };
    const packages = Object.keys(lock.packages)
      .filter((path) => path !== '')
      .sort();
    const own = Object.keys(manifest.dependencies ?? {});
    expect(packages).toEqual([...own, manifest.name].map((name) => `node_modules/${name}`).sort());
    const mistakes = Promise.all([mistakesIn(app), mistakesIn(app, '-p', 'bundler.json', '--noEmit')]);
    expect(await mistakes).toEqual(['', '']);
    const { stdout } = await run(process.execPath, ['dist/page.js'], { cwd: app });
    expect(stdout).toBe('orders/a%2Fb closed\nINVALID_CHANNEL\n');
    // Node itself names what the server's entry lacks, and who asks for it.
    const started = run(process.execPath, ['-e', `import '${manifest.name}'`, '--input-type=module'], {
      cwd: app,
    });
    const missing =
      /Cannot find package '(@nestjs\/common|@nestjs\/core|rxjs)' imported from .+nestjs-sse-hub/;
    await expect(started).rejects.toMatchObject({ stderr: expect.stringMatching(missing) });
  });

  it('is refused by npm beside a version of Nest that it does not run on', async () => {
    const conflict = /peerOptional @nestjs\/common@".+" from nestjs-sse-hub/;
    await expect(withPackage('old')).rejects.toMatchObject({ stderr: expect.stringMatching(conflict) });
  });

  it('compiles strictly and streams in an empty Nest app', async () => {
    const app = await withPackage('app');
    for (const name of optionalPeers) expect(existsSync(join(app, 'node_modules', name))).toBe(false);
    expect(await mistakesIn(app)).toBe('');
    await expectToStream(app);
  });

  it('compiles and streams in a CommonJS app of Nest 11, with all its entries', async () => {
    const app = await withPackage('commonjs');
    expect(await mistakesIn(app)).toBe('');
    const { stdout } = await run(process.execPath, ['dist/entries.js'], { cwd: app });
    expect(stdout.trim()).toBe(
      'ModelRuns,SseHealthModule,SsePublishModule,SseInspectorModule,lmdbBackplane,SseMetricsModule,' +
        'natsBackplane,SseTelemetryModule,useSse,redisBackplane,openStream,describeBackplane',
    );
    await expectToStream(app);
  });

  it('has its backplanes behind entries of their own, with types, where their packages are', async () => {
    const app = await withPackage('instances');
    expect(await mistakesIn(app)).toBe('');
    const { stdout } = await run(process.execPath, ['dist/main.js'], { cwd: app });
    expect(stdout.trim()).toBe('a message, kept');
  });

  it('says which package is missing where one is', async () => {
    const app = await withPackage('app');
    const code = `
      const { redisBackplane } = await import(${JSON.stringify(`${manifest.name}/redis`)});
      await redisBackplane()({});`;
    const started = run(process.execPath, ['--input-type=module', '-e', code], { cwd: app });
    await expect(started).rejects.toMatchObject({
      stderr: expect.stringContaining('The package redis is not installed.'),
    });
  });
});
