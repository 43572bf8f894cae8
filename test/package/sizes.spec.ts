import { beforeAll, describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createContext, Script } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { root } from '../support/process.js';

/** An entry that pages load. */
interface Entry {
  readonly entry: string;
  /** The most bytes of all that it exports, minified and gzipped, with the packages that it bundles. */
  readonly limit: number;
  /** The names that count, where not all do. */
  readonly names?: string;
  /** An entry that a page with this one has anyway: the limit is for what this one adds. */
  readonly beside?: string;
  /** Packages that the page brings. */
  readonly external?: readonly string[];
}

const entries: readonly Entry[] = [
  { entry: 'channels', limit: 3_072 },
  { entry: 'client', names: '{ connect }', limit: 5_120 },
  { entry: 'client', names: '{ connect, connectChannels }', limit: 7_680 },
  { entry: 'client', limit: 8_192 },
  { entry: 'client/rxjs', limit: 768, external: ['rxjs'] },
  { entry: 'react', limit: 1_536, beside: 'client', external: ['react'] },
  { entry: 'client/tabs', limit: 2_048, beside: 'client' },
];

const OWN = /^(<stdin>$|dist\/sse\/)/;
/** Packages that may come along in a page. */
const BUNDLED = /^node_modules\/eventsource-parser\//;

interface Bundle {
  readonly code: string;
  readonly gzipped: number;
  /** All files that were read. */
  readonly read: readonly string[];
  /** Those of them that something is used of. */
  readonly files: readonly string[];
}

/** Bundles a module for a page, from `dist` and by the `exports` of package.json. */
async function bundle(
  code: string,
  external: readonly string[] = [],
  format: 'esm' | 'iife' = 'esm',
): Promise<Bundle> {
  const result = await build({
    stdin: { contents: code, resolveDir: root },
    ...{ bundle: true, minify: true, platform: 'browser', target: 'es2022', format },
    ...{ external: [...external], absWorkingDir: root, write: false, metafile: true, logLevel: 'silent' },
  });
  expect(result.warnings).toEqual([]);
  const [file] = result.outputFiles;
  const [output] = Object.values(result.metafile.outputs);
  const used = Object.entries(output!.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  return {
    code: file!.text,
    gzipped: gzipSync(file!.contents, { level: 9 }).length,
    read: Object.keys(result.metafile.inputs),
    files: used.map(([path]) => path).sort(),
  };
}

const all = (entry: string, names = '*'): string => `export ${names} from 'nestjs-sse-hub/${entry}';`;

beforeAll(() => {
  if (!existsSync(join(root, 'dist/index.js'))) throw new Error('Run `npm run build` first.');
});

describe.each(entries)(
  '$names of the entry $entry in a page',
  ({ entry, limit, names, beside, external = [] }) => {
    it(`is at most ${limit} bytes`, async () => {
      const { gzipped } = await bundle(all(entry, names) + (beside ? all(beside) : ''), external);
      const shared = beside ? (await bundle(all(beside), external)).gzipped : 0;
      expect(gzipped - shared).toBeLessThanOrEqual(limit);
    });

    it('brings no Nest, rxjs or decorators, and nothing of Node', async () => {
      // A module of Node fails the build. A file is read also where nothing of it is used.
      const { read } = await bundle(all(entry, names), external);
      expect(read.filter((path) => !OWN.test(path) && !BUNDLED.test(path))).toEqual([]);
    });

    it('is loaded where there is nothing but JavaScript', async () => {
      const { code } = await bundle(all(entry, names), external, 'iife');
      new Script(code).runInContext(createContext({ require: createRequire(import.meta.url) }));
    });
  },
);

it('of several entries a page has only the files that it uses', async () => {
  const imports = entries.map(({ entry }, i) => `import * as entry${i} from 'nestjs-sse-hub/${entry}';`);
  const connect = "export { connect } from 'nestjs-sse-hub/client';";
  const external = entries.flatMap((entry) => entry.external ?? []);
  const { files } = await bundle(imports.join('') + connect, external);
  expect(files).toEqual((await bundle(connect)).files);
});

it('a page defines a channel, and names one', async () => {
  const { code } = await bundle(
    `import { defineChannel, type } from 'nestjs-sse-hub/channels';
    globalThis.name = defineChannel('chat/:room', { events: { message: type() } }).of({ room: 'a/b' });`,
    [],
    'iife',
  );
  const page = createContext({});
  new Script(code).runInContext(page);
  expect(page).toHaveProperty('name', 'chat/a%2Fb');
});

it('server components find the hooks to be for the client', () => {
  expect(readFileSync(join(root, 'dist/sse/react/index.js'), 'utf8')).toMatch(/^'use client';/);
});
