// `npm run simulate -- [seed]`: simulates a fleet that restarts, slow clients and a hot channel, with the real classes, and
// draws the charts of the guide to growing.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const [seed = '1'] = process.argv.slice(2);
const jest = resolve(root, 'node_modules/jest/bin/jest.js');
const args = ['--disable-warning=ExperimentalWarning', '--experimental-vm-modules', jest, 'test/simulation'];
const env = { ...process.env, SSE_SEED: seed, SSE_CHARTS: resolve(root, 'src/sse/cluster') };
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env });
process.exitCode = status ?? 1;
