import { readdirSync, readFileSync } from 'node:fs';
import { whenTestEnds } from '../../support/clean-up.js';
import { PATIENCE, type BrowserPage } from './browser-engine.js';

/** Ticks (of 10 ms) of the processor by which the process of a page has to stand out. */
const CLEAR = 10;

/** Stops the process of a page, so that nothing in the page runs, and nothing is answered. @returns lets it go on */
export async function stopProcessOf(page: BrowserPage): Promise<() => void> {
  const pid = await processOf(page);
  const goOn = (): void => void process.kill(pid, 'SIGCONT');
  whenTestEnds(goOn);
  process.kill(pid, 'SIGSTOP');
  return goOn;
}

/** Finds the process by its work, as no driver says which it is: among those that this process has started. */
async function processOf(page: BrowserPage): Promise<number> {
  // Longer and longer, as others may use the processor.
  for (let work = 200; work < PATIENCE / 2; work *= 1.5) {
    const before = ticks();
    await page.evaluate(`(() => { for (const end = Date.now() + ${work}; Date.now() < end; ); })()`);
    const [first, second] = [...ticks()]
      .map(([pid, ticks]) => ({ pid, ticks: ticks - (before.get(pid) ?? 0) }))
      .sort((one, other) => other.ticks - one.ticks);
    if (first && first.ticks - (second?.ticks ?? 0) >= CLEAR) return first.pid;
  }
  throw new Error('No process stands out while a page works.');
}

/** The time on the processor that each process below this one has used. */
function ticks(): Map<number, number> {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => stat(Number(pid)));
  const below = new Map<number, number>();
  const add = (parent: number): void => {
    for (const { pid, ticks } of all.filter((each) => each.parent === parent)) {
      below.set(pid, ticks);
      add(pid);
    }
  };
  add(process.pid);
  return below;
}

/** None for a process that has ended meanwhile. */
function stat(pid: number): { readonly pid: number; readonly parent: number; readonly ticks: number }[] {
  try {
    const [, , parent, ...rest] = /^\d+ (\(.*\)) . (\d+) (.*)$/s.exec(
      readFileSync(`/proc/${pid}/stat`, 'utf8'),
    )!;
    const fields = rest[0]!.split(' ');
    return [{ pid, parent: Number(parent), ticks: Number(fields[9]) + Number(fields[10]) }];
  } catch {
    return [];
  }
}
