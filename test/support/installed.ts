import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './process.js';

/** Versions of packages that cannot stand beside those of the lock file. */
export interface Installed {
  /** Where a package is: for `alias` of esbuild. */
  readonly path: (name: string) => string;
  readonly remove: () => Promise<void>;
}

/** Installs packages, with the versions given, in a folder of their own. */
export async function install(packages: Readonly<Record<string, string>>): Promise<Installed> {
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-sse-hub-'));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: packages }));
  // No scripts, and not the engines: what is installed runs in a browser.
  const flags = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await run('npm', ['install', ...flags], { cwd: folder });
  return {
    path: (name) => join(folder, 'node_modules', name),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
