/** Whether a value is a Promise, of whatever library. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';

export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
