// Runs many schedules: node test/model/run.js <memory | lmdb | redis | nats> [how many] [first seed] [times each]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [backplane = 'memory', count = '10000', seed = '1', times = '1'] = process.argv.slice(2);
const jest = fileURLToPath(new URL('../../node_modules/jest/bin/jest.js', import.meta.url));
const args = [
  '--disable-warning=ExperimentalWarning',
  '--experimental-vm-modules',
  jest,
  'test/model/model.spec.ts',
];
const env = { SSE_BACKPLANE: backplane, SSE_SCHEDULES: count, SSE_SEED: seed, SSE_TIMES: times };
const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...env } });
process.exitCode = status ?? 1;
