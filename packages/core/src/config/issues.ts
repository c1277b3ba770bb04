import type { $ZodIssue } from "zod/v4/core";
import { ProxyError } from "../errors.ts";
import { editDistance } from "./edit-distance.ts";
import { isHeaderTable, isSecretName, maskSecrets } from "./secrets.ts";

/** One mistake in a user's options. */
export interface ConfigIssue {
  /** Where, as keys and indexes from the top. */
  readonly path: readonly (string | number)[];
  /** What is wrong and what is allowed, without the path. */
  readonly message: string;
  /** "key" when the last key of the path is the mistake itself, and not what stands there. */
  readonly at?: "key";
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
 * Turns the validator's findings into ours: one for each unknown key, and each with what was found.
 *
 * `hint` ends the sentence about an unknown key.
 */
export function toConfigIssues(
  found: readonly $ZodIssue[],
  input: unknown,
  hint: (path: readonly PropertyKey[], key: string) => string,
): ConfigIssue[] {
  return found.flatMap((issue): ConfigIssue[] => {
    const { path, value } = follow(input, issue.path as (string | number)[]);
    switch (issue.code) {
      case "unrecognized_keys":
        return issue.keys.map((key) => ({ path: [...path, key], message: `unknown key${hint(path, key)}`, at: "key" }));
      case "invalid_key":
        return [{ path, message: issue.issues[0]?.message ?? issue.message, at: "key" }];
      case "invalid_union": {
        // Of a table or a word that stands for it: who gave a table hears what is wrong in it.
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

/** Words longer than any key: no typo of one, and not worth the comparing. */
const longestWord = 64;

/** `, did you mean "x"?` for the nearest allowed word, or else the list of them. */
export function didYouMean(word: string, allowed: readonly string[]): string {
  const candidates = word.length > longestWord ? [] : allowed;
  const distances = candidates.map((name) => [editDistance(word.toLowerCase(), name.toLowerCase()), name] as const);
  const [distance, nearest] = distances.sort((a, b) => a[0] - b[0])[0] ?? [Infinity, ""];
  const most = Math.min(word.length - 1, Math.max(1, Math.floor(word.length / 3)));
  if (distance <= most) return `, did you mean "${nearest}"?`;
  return allowed.length > 0 ? `; allowed here: ${allowed.join(", ")}` : "";
}

/** What was found, unless it may be a secret: mistakes end in logs. */
function foundAt(path: readonly (string | number)[], value: unknown): string {
  const keys = path.filter((key) => typeof key === "string");
  const secret = isSecretName(keys.at(-1) ?? "") || keys.some(isHeaderTable);
  return secret ? "" : `, found ${show(value)}`;
}

/**
 * A value as far as it helps to recognize it, without what may be secret in it: strings within a table are not shown. Never
 * throws: it may be anything that a program can hold.
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
    return "something that has no JSON";
  }
}

/** A replacer for JSON.stringify. */
function hideWithinTables(this: unknown, key: string, value: unknown): unknown {
  return typeof value === "string" && key !== "" && !Array.isArray(this) ? "***" : value;
}

/**
 * What stands at a path of the checked options. A path ends early at a string that the schema took for
 * a table or an array with itself inside.
 */
function follow(input: unknown, path: readonly (string | number)[]): { path: (string | number)[]; value: unknown } {
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
