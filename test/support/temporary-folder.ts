import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whenTestEnds } from './clean-up.js';

/** A folder that is there for the present test alone. */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sse-'));
  whenTestEnds(() => rm(path, { recursive: true, force: true }));
  return path;
}
