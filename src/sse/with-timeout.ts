/**
 * Waits for a Promise, but not for ever: once the time is over, `late` gives the result, or throws.
 *
 * @param time milliseconds
 * @param timer whether the process stays alive for it
 */
export async function withTimeout<T, Late>(
  promise: Promise<T>,
  time: number,
  late: () => Late,
  timer: 'ref' | 'unref' = 'ref',
): Promise<T | Late> {
  let timeout: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timeout = setTimeout(resolve, time)[timer]();
  });
  try {
    return await Promise.race([promise, over.then(late)]);
  } finally {
    clearTimeout(timeout);
  }
}
