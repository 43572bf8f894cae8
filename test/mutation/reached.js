// Runs beside each spec: writes down which mutants the spec has reached, and how long it took.
import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';
import { afterAll, expect } from '@jest/globals';

const out = process.env.MUTATION_REACHED;
const start = performance.now();

if (out) {
  afterAll(() => {
    const spec = relative(process.cwd(), expect.getState().testPath);
    const reaches = globalThis.__stryker__?.mutantCoverage?.static ?? {};
    const milliseconds = Math.round(performance.now() - start);
    appendFileSync(out, `${JSON.stringify({ spec, milliseconds, reaches })}\n`);
  });
}
