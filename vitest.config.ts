import { defineConfig } from "vitest/config";

const conditions = ["@evenkeel/source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "examples/**/*.test.ts"],
    reporters: process.env["CI"] ? ["default", "./scripts/totals-reporter.ts"] : ["default"],
  },
});
