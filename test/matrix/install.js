// Everything the matrix needs is installed below one folder of the system's temporary ones.
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './processes.js';

const here = import.meta.dirname;

/** Packs the checkout; gives the tarball's path. */
export async function pack(folder) {
  const root = join(here, '../..');
  await run('npm', ['run', '--silent', 'build'], { cwd: root });
  const args = ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder];
  const { stdout } = await run('npm', args, { cwd: root });
  return join(folder, Object.values(JSON.parse(stdout))[0].filename);
}

/**
 * A folder with these packages and this program of the matrix; gives its path.
 *
 * @throws where a package cannot be installed
 */
export async function install(parent, name, packages, program) {
  const folder = join(parent, name);
  await mkdir(folder);
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  if (program) await cp(join(here, program), join(folder, program));
  const args = ['install', '--no-audit', '--no-fund', '--loglevel=error', ...packages];
  await run('npm', args, { cwd: folder });
  return folder;
}
