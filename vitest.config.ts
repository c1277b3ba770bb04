import { defineConfig } from "vitest/config";

// The packages export their TypeScript source under this condition, so that tests need no build and show real lines.
const conditions = ["@evenkeel/source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["{packages/*,scripts,bench}/test/**/*.test.{ts,js}", "examples/**/*.test.ts"],
    reporters: ["default", "./scripts/totals-reporter.ts"],
    // A limit for what hangs, not a wait: nothing in the tests sleeps.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Real sockets on a shared machine: what fails once by its timing is asked again, what is wrong fails twice.
    retry: process.env["CI"] === undefined ? 0 : 1,
  },
});
