import type { $ZodIssue } from "zod/v4/core";
import { ProxyError } from "../errors.ts";
import { editDistance } from "./edit-distance.ts";
import { isHeaderTable, isSecretName, maskSecrets } from "./secrets.ts";

/** One mistake in the options. */
export interface ConfigIssue {
  /** The keys and indexes from the top to the mistake. */
  readonly path: readonly (string | number)[];
  /** What is expected and what was found, without the path. */
  readonly message: string;
  /** "key" if the last key of the path is the mistake, not its value. */
  readonly at?: "key";
}

/** Thrown for invalid options. It lists every mistake, not only the first. */
export class OptionsError extends ProxyError {
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[]) {
    super("invalid_options", issues.map(formatIssue).join("\n"));
    this.issues = issues;
  }
}

/** Formats a path as in TypeScript: `pools.api.upstreams[0].url`. */
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
 * Converts the issues of zod: one issue for each unknown key, and each issue with the value that was found.
 *
 * `hint` returns the end of the sentence about an unknown key.
 */
export function toConfigIssues(
  found: readonly $ZodIssue[],
  input: unknown,
  hint: (path: readonly PropertyKey[], key: string) => string,
): ConfigIssue[] {
  return found.flatMap((issue): ConfigIssue[] => {
    const { path, value } = valueAt(input, issue.path as (string | number)[]);
    switch (issue.code) {
      case "unrecognized_keys":
        return issue.keys.map((key) => ({ path: [...path, key], message: `unknown key${hint(path, key)}`, at: "key" }));
      case "invalid_key":
        return [{ path, message: issue.issues[0]?.message ?? issue.message, at: "key" }];
      case "invalid_union": {
        // The key accepts a table or a word. If a table was given, the mistakes within it are reported.
        const within = issue.errors.find((branch) => branch.every((inner) => inner.path.length > 0));
        if (within === undefined) return [{ path, message: issue.message + foundAt(path, value) }];
        const placed = within.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
        return toConfigIssues(placed, input, hint);
      }
      case "custom":
        return [{ path, message: maskSecrets(issue.message) }];
      default:
        return [{ path, message: issue.message + foundAt(path, value) }];
    }
  });
}

/** A longer word than any key is not a typo of one. This bounds the cost of the comparison. */
const longestWord = 64;

/** Returns `, did you mean "x"?` with the nearest allowed word, or else the list of allowed words. */
export function didYouMean(word: string, allowed: readonly string[]): string {
  const candidates = word.length > longestWord ? [] : allowed;
  const distances = candidates.map((name) => [editDistance(word.toLowerCase(), name.toLowerCase()), name] as const);
  const [distance, nearest] = distances.sort((a, b) => a[0] - b[0])[0] ?? [Infinity, ""];
  const most = Math.min(word.length - 1, Math.max(1, Math.floor(word.length / 3)));
  if (distance <= most) return `, did you mean "${nearest}"?`;
  return allowed.length > 0 ? `; allowed here: ${allowed.join(", ")}` : "";
}

/** The found value for a message, unless it can be a secret: messages get into logs. */
function foundAt(path: readonly (string | number)[], value: unknown): string {
  const keys = path.filter((key) => typeof key === "string");
  const secret = isSecretName(keys.at(-1) ?? "") || keys.some(isHeaderTable);
  return secret ? "" : `, found ${show(value)}`;
}

/**
 * Formats any value for a message, in at most 80 characters. Secrets are masked, and so are strings within a table. Never
 * throws.
 */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value) && value.length > 20) return `an array of ${value.length}`;
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  if (typeof value === "number") return String(value);
  if (typeof value === "bigint") return `${value}n`;
  try {
    const text = maskSecrets(JSON.stringify(value, hideWithinTables));
    return text.length > 80 ? `${text.slice(0, 77)}...` : text;
  } catch {
    return "a value that JSON cannot represent";
  }
}

/** A replacer for JSON.stringify. */
function hideWithinTables(this: unknown, key: string, value: unknown): unknown {
  return typeof value === "string" && key !== "" && !Array.isArray(this) ? "***" : value;
}

/**
 * Returns the value at a path of the input, and the path. The path is cut at a string that the schema has converted to a
 * table or an array: the input has nothing below it.
 */
function valueAt(input: unknown, path: readonly (string | number)[]): { path: (string | number)[]; value: unknown } {
  let value = input;
  for (const [depth, key] of path.entries()) {
    if (typeof value === "string") return { path: path.slice(0, depth), value };
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) {
      return { path: [...path], value: undefined };
    }
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return { path: [...path], value };
}

/** The error of a reload that has failed for any reason. */
export function toReloadError(error: unknown): ProxyError {
  if (error instanceof ProxyError) return error;
  return new ProxyError("invalid_options", error instanceof Error ? error.message : String(error), { cause: error });
}
