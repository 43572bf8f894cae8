import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { root, start } from '../support/process.js';
import type { RunningProcess } from '../support/process.js';

let npm: RunningProcess;

beforeAll(async () => {
  // --ignore-scripts leaves out the build before it, which would take dist/ away from other tests.
  npm = await start('npm', ['start', '--ignore-scripts'], /(http:\/\/[^\s/]+:\d+)\//, {
    cwd: root,
    env: { ...process.env, PORT: '0' },
    detached: true,
  });
});

afterAll(() => {
  try {
    process.kill(-npm.pid, 'SIGKILL');
  } catch {
    // All of them are gone, as they should be.
  }
});

it('`npm start` serves the app and hands a signal on to it', async () => {
  const health = `${npm.match[1] ?? ''}/health/ready`;
  expect((await fetch(health)).status).toBe(200);

  // Resolves when nobody holds npm's output any more, the server included.
  await npm.stop('SIGTERM');
  await expect(fetch(health)).rejects.toThrow();
});
