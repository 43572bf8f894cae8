/*
 * What the client needs of its surroundings, which may be a page, a worker or a program.
 */

/** The longest timer in milliseconds: they count in 31 bits, and a longer one fires at once. */
export const LONGEST_TIMER = 2_147_483_647;

/** Milliseconds before an attempt that follows a failed one, whatever the server asks for. */
export const LEAST_WAIT = 250;

/** What a page has of its own; a worker has less, and a program nothing. */
export const page = globalThis as Partial<EventTarget> & {
  readonly origin?: string;
  readonly location?: { readonly href: string };
  readonly document?: EventTarget & { readonly baseURI: string; readonly visibilityState: string };
};

/** A page's addresses are relative to it. */
export const addressOf = (url: string | URL): URL =>
  new URL(url, page.document?.baseURI ?? page.location?.href);

/** A timer of any length. */
export const after = (milliseconds: number, task: () => void): ReturnType<typeof setTimeout> =>
  setTimeout(task, Math.min(milliseconds, LONGEST_TIMER));

/** A value that is given up when a signal aborts, also where who makes it does not heed the signal. */
export function orAborted<T>(signal: AbortSignal, value: T | PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    // A stream may go on for days, with a request for each join.
    const settled = (): void => signal.removeEventListener('abort', stop);
    Promise.resolve(value).then(resolve, reject).finally(settled);
  });
}

/** Runs code of the application. What it throws is reported as for any listener, and ends nothing. */
export function guarded(task: () => void): void {
  try {
    task();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Functions to be called at each change. */
export class Listeners {
  readonly #all = new Set<{ readonly call: () => void }>();

  /** It is bound, as hooks take it. @returns takes the function off */
  readonly add = (listener: () => void): (() => void) => {
    const entry = { call: listener };
    this.#all.add(entry);
    return () => this.#all.delete(entry);
  };

  call(): void {
    for (const { call } of [...this.#all]) guarded(call);
  }
}

/** Milliseconds; undefined where the server says nothing. */
export function retryAfter(headers: Headers): number | undefined {
  const value = headers.get('Retry-After');
  if (value === null) return undefined;
  const seconds = Number(value);
  const milliseconds = Number.isNaN(seconds) ? Date.parse(value) - Date.now() : seconds * 1_000;
  return milliseconds >= 0 ? Math.max(milliseconds, LEAST_WAIT) : undefined;
}
