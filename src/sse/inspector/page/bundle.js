// `npm run bundle`: makes the script and the style of the inspector's page from what is in this folder. They go to
// ../public, from where the build copies them, so that whoever installs the package needs nothing more.
import { build } from 'esbuild';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../../../..');
const target = join(here, '../public');

/**
 * uPlot formats numbers in the language of the browser, and does not load at all where that is no language: WebKitGTK says "C"
 * in such an environment. The page is in English.
 */
const english = {
  name: 'english',
  setup: ({ onLoad }) =>
    onLoad({ filter: /uPlot\.esm\.js$/ }, ({ path }) => {
      const code = readFileSync(path, 'utf8');
      if (!code.includes('nav.language'))
        throw new Error('uPlot has changed: look for its use of the language.');
      return { contents: code.replaceAll('nav.language', '"en"') };
    }),
};

const { metafile } = await build({
  entryPoints: { page: join(here, 'main.ts') },
  outdir: target,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  legalComments: 'none',
  metafile: true,
  plugins: [english],
  absWorkingDir: root,
  logLevel: 'warning',
});

const style = [join(root, 'node_modules/uplot/dist/uPlot.min.css'), join(here, 'page.css')];
writeFileSync(join(target, 'page.css'), style.map((file) => readFileSync(file, 'utf8')).join('\n'));

/** The licenses of what is bundled have to come with it. */
const names = new Set(
  Object.keys(metafile.inputs).flatMap(
    (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
  ),
);
const notices = [...names].sort().map((name) => {
  const folder = join(root, 'node_modules', name);
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return `${name} ${version}\n\n${readFileSync(join(folder, 'LICENSE'), 'utf8').trim()}\n`;
});
writeFileSync(join(target, 'NOTICES.txt'), notices.join(`\n${'-'.repeat(80)}\n\n`));
