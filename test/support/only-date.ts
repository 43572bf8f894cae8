import type { jest } from '@jest/globals';

/** For `jest.useFakeTimers()`: the clock is the test's, timers and turns are real. */
export const onlyDate: Parameters<typeof jest.useFakeTimers>[0] = {
  doNotFake: [
    'clearImmediate',
    'clearInterval',
    'clearTimeout',
    'hrtime',
    'nextTick',
    'performance',
    'queueMicrotask',
    'setImmediate',
    'setInterval',
    'setTimeout',
  ],
};
