import type { PolicyName } from "../options.ts";

/** The built-in policies, the default first. */
export const policyNames: readonly PolicyName[] = [
  "p2c",
  "round-robin",
  "least-requests",
  "random",
  "peak-ewma",
  "hash",
  "first",
];
