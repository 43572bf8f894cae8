import type { jest } from '@jest/globals';

type FakeTimers = Parameters<typeof jest.useFakeTimers>[0];

/** For `jest.useFakeTimers()`: time is the test's, and streams go on over HTTP, as the guide to testing says. */
export const timers: FakeTimers = {
  doNotFake: ['nextTick', 'setImmediate', 'clearImmediate', 'queueMicrotask'],
};

/** For `jest.useFakeTimers()`: the clocks are the test's, timers and turns are real. */
export const onlyDate: FakeTimers = {
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
