import { afterEach } from '@jest/globals';

type Step = () => unknown;

const steps: Step[] = [];

/** Remembers what to undo when the present test is over: the latest first, each awaited. */
export function whenTestEnds(step: Step): void {
  steps.push(step);
}

afterEach(async () => {
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) await step();
});
