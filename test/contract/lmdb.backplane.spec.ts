/**
 * LMDB's native part is loaded once in a process, and with it the JavaScript of the first spec that does so.
 *
 * @jest-environment-options {"globalsCleanup": "off"}
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lmdbBackplane } from '../../src/sse/backplanes/lmdb/index.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { describeBackplane } from './backplane.contract.js';

describeBackplane('LMDB', async () => {
  const path = await mkdtemp(join(tmpdir(), 'sse-'));
  const { backplane } = await lmdbBackplane({ path })(moduleSettings().limits);
  return { backplane, dispose: () => rm(path, { recursive: true }) };
});
