import type { Reporter, TestModule } from "vitest/node";

/**
 * Prints the totals of a test run on its last line: `12 passed, 0 failed`, plus `, 1 skipped` if any.
 *
 * A file that fails outside of its tests counts as one failure, and so does an error outside of any test. A failed run
 * therefore never prints 0 failures.
 */
export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    let skipped = 0;
    for (const module of modules) {
      if (module.errors().length > 0) failed++;
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length > 0) failed++;
      }
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed++;
        else if (state === "failed") failed++;
        else skipped++;
      }
    }
    process.stdout.write(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`);
  }
}
