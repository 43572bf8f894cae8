import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type * as Package from '../../src/index.js';
import { temporaryFolder } from './temporary-folder.js';

/** Another copy of this package, as a package manager may install one for a library of a workspace. */
export async function secondCopy(version?: string): Promise<typeof Package> {
  const folder = await temporaryFolder();
  await cp(resolve('src'), join(folder, 'src'), { recursive: true });
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  if (version !== undefined) {
    const file = join(folder, 'src/sse/package-copy.ts');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/(?<=VERSION = ')[^']+/, version));
  }
  return (await import(join(folder, 'src/index.ts'))) as typeof Package;
}
