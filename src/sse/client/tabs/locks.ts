/** `signal` ends the waiting, `steal` takes the lock from who has it. */
export type LockOptions =
  | { readonly signal: AbortSignal; readonly steal?: never }
  | { readonly steal: true; readonly signal?: never };

/** The Web Locks of a browser, as far as tabs use them. */
export interface Locks {
  /** @returns settles when the lock is free again; rejects if it was taken away, or the signal has aborted before */
  request(name: string, options: LockOptions, held: () => Promise<unknown>): Promise<unknown>;
}

const { isSecureContext, navigator } = globalThis as unknown as {
  readonly isSecureContext?: boolean;
  readonly navigator?: { readonly locks?: Locks };
};

/** Undefined where tabs cannot share: outside of browsers, and where the context is not secure. */
export const locks = isSecureContext ? navigator?.locks : undefined;

/** Resolves when a signal aborts. */
export const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise<unknown>((resolve) => signal.addEventListener('abort', resolve));
