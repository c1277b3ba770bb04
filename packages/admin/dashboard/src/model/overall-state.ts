/** The state of everything in one tone and one sentence. */

import type { Overview } from "@evenkeel/admin";
import { countOf } from "./format.ts";
import { inPlainWords } from "./plain-words.ts";
import type { Tone } from "./statuses.ts";

export function overallTone({ problems, draining }: Overview): Tone {
  if (problems.some(({ severity }) => severity === "critical")) return "bad";
  return problems.length > 0 || draining ? "warn" : "ok";
}

/** The sentence for the title of the page and for screen readers. Without durations, so that it changes only with the state. */
export function summarize({ problems, draining }: Overview): string {
  const [worst] = problems;
  if (worst === undefined) return draining ? "Draining" : "All healthy";
  return problems.length === 1 ? inPlainWords(worst.text) : `${countOf(problems.length, "problem")}: ${worst.text}`;
}
