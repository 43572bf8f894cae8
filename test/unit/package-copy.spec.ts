import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import * as root from '../../src/index.js';
import * as channels from '../../src/sse/channels/index.js';
import { COPY } from '../../src/sse/package-copy.js';

describe('this copy of the package', () => {
  it('knows its version, and where it is', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    expect(COPY).toEqual({ version, path: `file://${resolve('.')}` });
  });

  it('gives the same things by its root and by its entry for channels', () => {
    const ofRoot: Readonly<Record<string, unknown>> = root;
    const others = Object.entries(channels).filter(([name, value]) => ofRoot[name] !== value);
    expect(others).toEqual([]);
    expect(ofRoot).toHaveProperty('SseError', channels.SseError);
  });
});
