// Biome formats and lints everything else. ESLint is here only for what needs type information: promises that
// nobody waits for, and switches that forget a case.
import tseslint from "typescript-eslint";

export default [
  { ignores: ["**/dist/", "scripts/consumer/"] },
  {
    files: ["**/*.ts"],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { project: "./tsconfig.test.json", tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    plugins: { "@typescript-eslint": tseslint.plugin },
    rules: {
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/return-await": ["error", "error-handling-correctness-only"],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ["packages/admin/dashboard/**/*.ts"],
    languageOptions: { parserOptions: { project: "./packages/admin/dashboard/tsconfig.json" } },
  },
];
