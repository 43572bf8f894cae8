import { readFileSync } from 'node:fs';
import { cpus, platform, release } from 'node:os';

/** On what the figures were measured, in a line. */
export function machine(isPinned) {
  const kind = isPinned ? 'server on core 0, client on core 1' : 'processes on any core';
  return `${processor()}, ${cpus().length} cores, ${platform()} ${release()}, Node ${process.versions.node}; ${kind}`;
}

function processor() {
  const known = cpus()[0]?.model.trim();
  if (known && known !== 'unknown') return known;
  try {
    return /^model name\s*:\s*(.+)$/m.exec(readFileSync('/proc/cpuinfo', 'latin1'))?.[1] ?? process.arch;
  } catch {
    return process.arch;
  }
}
