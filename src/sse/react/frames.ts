import { guarded } from '../client/environment.js';

/** Milliseconds without a frame after which the page is one that nobody looks at: such a page gets none. */
const NO_FRAME = 500;

const page = globalThis as Partial<{
  requestAnimationFrame(task: () => void): number;
  cancelAnimationFrame(frame: number | undefined): void;
}>;

const due = new Set<() => void>();

/** Runs a function once in the next frame: all that are due in one frame together, so that React renders once for them. */
export function inNextFrame(task: () => void): void {
  if (due.size === 0) request();
  due.add(task);
}

function request(): void {
  const run = (): void => {
    page.cancelAnimationFrame?.(frame);
    clearTimeout(timer);
    const tasks = [...due];
    due.clear();
    for (const one of tasks) guarded(one);
  };
  const frame = page.requestAnimationFrame?.(run);
  const timer = setTimeout(run, NO_FRAME);
}
