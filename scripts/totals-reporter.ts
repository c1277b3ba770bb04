import type { Reporter, TestModule } from "vitest/node";

/**
 * Ends a test run with its totals on a line of its own: `12 passed, 0 failed`, plus `, 1 skipped` when there are any.
 *
 * A file that fails outside its tests, and an error that belongs to no test, count as one failure each: the line
 * never reads better than the run was.
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
