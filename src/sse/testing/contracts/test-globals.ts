import type { SseErrorCode } from '../../sse.errors.js';

/**
 * The parts of a test runner that the suites use: Jest and Vitest have them, as globals or as exports of
 * `@jest/globals` and `vitest`.
 */
export interface TestGlobals {
  readonly describe: (name: string, define: () => void) => void;
  readonly it: (name: string, test: () => Promise<void>, timeout?: number) => void;
  readonly beforeEach: (step: () => Promise<void>) => void;
  readonly afterEach: (step: () => Promise<void>) => void;
  readonly expect: Expect;
}

export interface Expect {
  (actual: unknown): Matchers<void> & {
    readonly not: Matchers<void>;
    readonly rejects: Matchers<Promise<void>>;
    readonly resolves: Matchers<Promise<void>>;
  };
  objectContaining(sample: Readonly<Record<string, unknown>>): unknown;
}

export interface Matchers<Result> {
  toBe(expected: unknown): Result;
  toBeGreaterThan(expected: number): Result;
  toBeGreaterThanOrEqual(expected: number): Result;
  toBeLessThan(expected: number): Result;
  toBeUndefined(): Result;
  toContain(expected: unknown): Result;
  toEqual(expected: unknown): Result;
  toHaveLength(expected: number): Result;
  toMatchObject(expected: object): Result;
}

/** Expects that each of these calls is refused with an `SseError` of that code. */
export async function expectRefusal(
  expect: Expect,
  code: SseErrorCode,
  ...calls: Promise<unknown>[]
): Promise<void> {
  const refused = { status: 'rejected', reason: expect.objectContaining({ name: 'SseError', code }) };
  expect(await Promise.allSettled(calls)).toEqual(calls.map(() => refused));
}
