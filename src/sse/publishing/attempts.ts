/** Calls something that may throw before it returns a Promise: that becomes a rejection. */
export function attempt<T>(call: () => T | Promise<T>): T | Promise<T> {
  try {
    return call();
  } catch (error) {
    const failed = Promise.resolve().then((): T => {
      throw error;
    });
    failed.catch(() => undefined); // it is told where the others are awaited
    return failed;
  }
}

/**
 * The values, at once if there is nothing to wait for. Rejects when all have settled, with the first failure in their
 * order.
 */
export function inOrder<T>(
  values: readonly (T | Promise<T>)[],
  failed: (reason: unknown, index: number) => unknown = (reason) => reason,
): T[] | Promise<T[]> {
  if (!values.some((value) => value instanceof Promise)) return values as T[];
  return Promise.allSettled(values).then((settled) => {
    const failure = firstFailure(settled);
    if (failure) throw failed(failure.reason, failure.index);
    return settled.map((one) => (one as PromiseFulfilledResult<T>).value);
  });
}

/** The first rejection. */
export function firstFailure(
  settled: readonly PromiseSettledResult<unknown>[],
): { readonly index: number; readonly reason: unknown } | undefined {
  const index = settled.findIndex(({ status }) => status === 'rejected');
  const failure = settled[index];
  return failure?.status === 'rejected' ? { index, reason: failure.reason as unknown } : undefined;
}
