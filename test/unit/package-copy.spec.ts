import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { COPY } from '../../src/sse/package-copy.js';

describe('this copy of the package', () => {
  it('knows its version, and where it is', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect(COPY).toEqual({ version, path: `file://${resolve('.')}` });
  });
});
