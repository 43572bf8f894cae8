import type { EventLike, EventReader } from './event-reader.js';
import { StreamRefused } from './stream-refused.js';
import type { TestStream } from './test-stream.js';

/** What Jest and Vitest give a matcher as `this`. */
export interface MatcherContext {
  readonly isNot?: boolean | undefined;
  readonly customTesters: readonly unknown[];
  readonly equals: (actual: unknown, expected: unknown, testers?: never) => boolean;
  readonly utils: { readonly iterableEquality: unknown; readonly subsetEquality: unknown };
}

/** What a matcher gives. */
export interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

/** The matchers, as `expect()` has them. */
export interface StreamMatchers<Result = Promise<void>> {
  /**
   * Waits for an event of a type, and passes over others. With data it has to match as by `toMatchObject()`.
   *
   * For a stream of `openStream()`, and for what `recordPublished()` returns. Throws after `not`: absence cannot be awaited.
   */
  toReceive(type: string, data?: unknown): Result;
  /** Waits for the end of a stream, and for 204 when it is resumed: nothing is left in it, and an EventSource stays away. */
  toHaveCompleted(): Result;
}

async function toReceive(
  this: MatcherContext,
  reader: EventReader<EventLike>,
  type: string,
  data?: unknown,
): Promise<MatcherResult> {
  if (this.isNot)
    throw new Error(
      'toReceive() cannot be used after "not". Publish another event, and see that it is the next.',
    );
  const isIt = (event: EventLike): boolean =>
    (event.type ?? 'message') === type && (data === undefined || matches(this, event.data, data));
  const expected = `an event ${JSON.stringify(type)}${data === undefined ? '' : ` with ${shown(data)}`}`;
  try {
    await reader.until(isIt);
    return { pass: true, message: () => `Expected not ${expected}.` };
  } catch (error) {
    return { pass: false, message: () => `Expected ${expected}. ${(error as Error).message}` };
  }
}

async function toHaveCompleted(this: MatcherContext, stream: TestStream): Promise<MatcherResult> {
  const state = await stream.ended();
  const answer = state === 'ended' || state === 'refused' ? await statusAfter(stream) : undefined;
  const found =
    answer === undefined ? `it is ${state}` : `it has ended, and was answered ${answer} when it was resumed`;
  return {
    pass: answer === 204,
    message: () => `Expected the stream ${this.isNot ? 'not ' : ''}to have completed: ${found}.`,
  };
}

/** The status with which a stream is answered that is over. A stream that opens again is dropped. */
async function statusAfter(stream: TestStream): Promise<number> {
  try {
    await stream.resume();
    stream.drop();
    return stream.status;
  } catch (error) {
    if (error instanceof StreamRefused) return error.status;
    throw error;
  }
}

/** As `toMatchObject()`, also for what is no object. */
function matches(
  { equals, customTesters, utils }: MatcherContext,
  actual: unknown,
  expected: unknown,
): boolean {
  const testers = [...customTesters, utils.iterableEquality, utils.subsetEquality];
  return equals(actual, expected, testers as never);
}

const shown = (data: unknown): string => JSON.stringify(data) ?? String(data);

/** Matchers for `expect.extend()` of Jest and of Vitest. */
export const streamMatchers = { toReceive, toHaveCompleted };
