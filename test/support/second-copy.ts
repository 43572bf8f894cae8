import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type * as Package from '../../src/index.js';
import type * as Channels from '../../src/sse/channels/index.js';
import { temporaryFolder } from './temporary-folder.js';

/** Another copy of this package, as a package manager may install one for a library of a workspace. */
export const secondCopy = (version?: string): Promise<typeof Package> =>
  load<typeof Package>('src/index.ts', version);

/** Of another copy what a page loads, too. */
export const secondChannels = (version?: string): Promise<typeof Channels> =>
  load<typeof Channels>('src/sse/channels/index.ts', version);

async function load<Entry>(entry: string, version: string | undefined): Promise<Entry> {
  const folder = await temporaryFolder();
  await cp(resolve('src'), join(folder, 'src'), { recursive: true });
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  if (version !== undefined) {
    const file = join(folder, 'src/sse/package-copy.ts');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/(?<=VERSION = ')[^']+/, version));
  }
  return (await import(join(folder, entry))) as Entry;
}
