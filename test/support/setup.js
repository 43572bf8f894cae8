// `npm run setup`: installs the dependencies, but only when what is in node_modules is not what the
// lock file says. It runs before there is a node_modules, so it uses nothing but Node and npm.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

function packagesOf(lockFile) {
  try {
    return JSON.parse(readFileSync(new URL(`../../${lockFile}`, import.meta.url), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** Every package that is installed is the one in the lock file; only optional ones (other systems' binaries) may be absent. */
function isInstalled() {
  const wanted = packagesOf('package-lock.json');
  const installed = packagesOf('node_modules/.package-lock.json');
  if (!wanted || !installed) return false;
  const isSame = ([path, { integrity }]) => wanted[path]?.integrity === integrity;
  const isThere = ([path, { optional }]) => path === '' || optional || path in installed;
  return Object.entries(installed).every(isSame) && Object.entries(wanted).every(isThere);
}

if (!isInstalled()) {
  console.log('Installing the dependencies (npm ci) …');
  // --include=dev: the build needs them, also where NODE_ENV is "production".
  const npm = spawnSync('npm', ['ci', '--include=dev', '--loglevel=error', '--no-audit', '--no-fund'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  process.exitCode = npm.status ?? 1;
}
