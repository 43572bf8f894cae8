import { expect } from '@jest/globals';
import type { SseErrorCode } from '../../src/sse/sse.errors.js';

/** What a call throws; or what it gives, as `accepted`. */
export function refusal(call: () => unknown): unknown {
  try {
    return { accepted: call() };
  } catch (error) {
    return error;
  }
}

/** Matches an `SseError` of that code whose message says that. */
export const refused = (code: SseErrorCode, message: RegExp | string = ''): unknown =>
  expect.objectContaining({ name: 'SseError', code, message: expect.stringMatching(message) as unknown });
