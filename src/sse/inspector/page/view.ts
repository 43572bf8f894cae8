import { reasonOf } from '../../sse.errors.js';

/** What a view of the page needs of the page around it. */
export interface Surroundings {
  /** Ends what the view has begun when another takes its place. */
  readonly signal: AbortSignal;
  /** Whether it only shows. */
  readonly readOnly: boolean;
  /** The instance that is looked at; undefined for all. */
  readonly instance: string | undefined;
}

/** Calls a function now and then, never twice at a time, and not while the page is hidden. */
export function repeatedly(task: () => Promise<void>, milliseconds: number, signal: AbortSignal): void {
  let isRunning = false;
  const run = async (): Promise<void> => {
    if (isRunning || document.hidden) return;
    isRunning = true;
    await task().catch(() => undefined);
    isRunning = false;
  };
  const timer = setInterval(() => void run(), milliseconds);
  signal.addEventListener('abort', () => clearInterval(timer));
  void run();
}

/** The address of a view. */
export const link = (view: string, name = '', query: Readonly<Record<string, string>> = {}): string => {
  const path = name === '' ? `#/${view}` : `#/${view}/${encodeURIComponent(name)}`;
  const search = new URLSearchParams(query).toString();
  return search === '' ? path : `${path}?${search}`;
};

/** Shows errors in the status line of a view, for as long as the view is there. */
export const failing =
  (status: HTMLElement, signal: AbortSignal) =>
  (error: unknown): void => {
    if (!signal.aborted) status.textContent = reasonOf(error);
  };
