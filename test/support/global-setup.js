// Before the first test: install the programs that tests need where that is possible (Debian as root);
// otherwise say what will be skipped. With CI=true nothing is skipped: those tests fail. The tests of the
// browser engines are never skipped.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findProgram, howToGet, programs } from './programs.js';

const missingPrograms = () => Object.keys(programs).filter((name) => !findProgram(name));

function install(names) {
  const packages = names.map((name) => programs[name].debianPackage);
  console.log(`\nInstalling for the tests: ${packages.join(', ')} …`);
  const apt = (...args) =>
    spawnSync('apt-get', ['-qq', ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  apt('update');
  apt('install', '-y', '--no-install-recommends', ...packages);
}

export default function globalSetup() {
  const missing = missingPrograms();
  const canInstall = process.getuid?.() === 0 && existsSync('/etc/debian_version');
  const installable = missing.filter((name) => !process.env[programs[name].variable]);
  if (canInstall && installable.length > 0) install(installable);
  for (const name of missingPrograms()) {
    const verdict = process.env.CI === 'true' ? 'fail' : 'are skipped or fail';
    console.warn(`\nThe tests that need ${name} ${verdict}: to run them, ${howToGet(name)}.`);
  }
}
