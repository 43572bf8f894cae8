import { writeFileSync } from 'node:fs';

/** A reporter that ends the whole run at the first test that fails, and writes down which. */
export default class FirstFailure {
  onTestCaseResult(test, { status, fullName }) {
    if (status === 'failed') this.#end(`${fullName}`);
  }

  /** A spec that cannot even be loaded. */
  onTestFileResult(test, { testExecError }) {
    if (testExecError) this.#end(`${test.path} does not run: ${testExecError.message}`);
  }

  #end(name) {
    const out = process.env.MUTATION_FAILURE;
    if (!out) return;
    writeFileSync(out, name);
    process.exit(1);
  }
}
