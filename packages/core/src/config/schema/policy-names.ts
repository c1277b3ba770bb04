import type { PolicyName } from "../options.ts";

/** The names of the built-in policies. The default comes first. */
export const policyNames: readonly PolicyName[] = [
  "p2c",
  "round-robin",
  "least-requests",
  "random",
  "peak-ewma",
  "hash",
  "first",
];
