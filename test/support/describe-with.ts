import { describe, it } from '@jest/globals';
import { findProgram, howToGet } from './programs.js';
import type { ProgramName } from './programs.js';

/**
 * A `describe` whose tests need a program beside Node; `define` gets the program's path. Where the
 * program is missing the tests are skipped, and with CI=true they fail.
 */
export function describeWith(name: ProgramName, title: string, define: (path: string) => void): void {
  const path = findProgram(name);
  if (path !== undefined) {
    describe(title, () => define(path));
    return;
  }
  const reason = `${name} is missing: ${howToGet(name)}`;
  if (process.env.CI === 'true') {
    describe(title, () => {
      it(`needs ${name}`, () => {
        throw new Error(reason);
      });
    });
  } else {
    describe.skip(`${title} (${reason})`, () => define(''));
  }
}
