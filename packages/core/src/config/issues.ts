import type { $ZodIssue } from "zod/v4/core";
import { ProxyError } from "../errors.ts";

/** One mistake in a user's options. */
export interface ConfigIssue {
  /** Where, as keys and indexes from the top. */
  readonly path: readonly (string | number)[];
  /** What is wrong and what is allowed, without the path. */
  readonly message: string;
}

/** Thrown when options do not check out. Names every mistake, not just the first. */
export class OptionsError extends ProxyError {
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[]) {
    super("invalid_options", issues.map(formatIssue).join("\n"));
    this.issues = issues;
  }
}

/** Renders a path the way TypeScript would write it: `pools.api.upstreams[0].url`. */
export function formatPath(path: readonly (string | number)[]): string {
  let text = "";
  for (const key of path) {
    if (typeof key === "number") text += `[${key}]`;
    else if (/^[A-Za-z_$][\w$-]*$/.test(key)) text += text === "" ? key : `.${key}`;
    else text += `[${JSON.stringify(key)}]`;
  }
  return text === "" ? "options" : text;
}

function formatIssue(issue: ConfigIssue): string {
  return `${formatPath(issue.path)}: ${issue.message}`;
}

/**
 * Turns the validator's findings into ours: one per unknown key, each with a hint; a union's own findings
 * are those of the branch that came closest.
 *
 * `keysAt` lists the keys that are allowed at a path.
 */
export function toConfigIssues(
  found: readonly $ZodIssue[],
  input: unknown,
  keysAt: (path: readonly PropertyKey[]) => readonly string[],
): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  for (const issue of found) {
    const path = issue.path as (string | number)[];
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) {
        issues.push({ path: [...path, key], message: `unknown key${didYouMean(key, keysAt(path))}` });
      }
    } else if (issue.code === "invalid_key") {
      issues.push({ path, message: issue.issues[0]?.message ?? issue.message });
    } else {
      issues.push({ path, message: withFound(issue.message, valueAt(input, path), issue.code) });
    }
  }
  return issues;
}

/** `, did you mean "x"?` for the nearest allowed word, or else the list of them. */
export function didYouMean(word: string, allowed: readonly string[]): string {
  const distances = allowed.map((name) => [editDistance(word.toLowerCase(), name.toLowerCase()), name] as const);
  const [distance, nearest] = distances.sort((a, b) => a[0] - b[0])[0] ?? [Infinity, ""];
  if (distance <= Math.max(1, Math.floor(word.length / 3))) return `, did you mean "${nearest}"?`;
  return allowed.length > 0 ? `; allowed here: ${allowed.join(", ")}` : "";
}

function withFound(message: string, value: unknown, code: string): string {
  if (code === "custom") return message;
  return value === undefined ? `${message}, found nothing` : `${message}, found ${show(value)}`;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** Levenshtein's distance, for words of a few letters. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
