import type { jest } from '@jest/globals';

/** For `jest.useFakeTimers()`: the clocks are the test's, timers and turns are real. */
export const onlyDate: Parameters<typeof jest.useFakeTimers>[0] = {
  doNotFake: [
    'clearImmediate',
    'clearInterval',
    'clearTimeout',
    'hrtime',
    'nextTick',
    'queueMicrotask',
    'setImmediate',
    'setInterval',
    'setTimeout',
  ],
};
