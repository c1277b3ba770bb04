import { type ConfigIssue, didYouMean, OptionsError, show } from "../config/issues.ts";
import type { Hooks } from "./hooks.ts";

const hookNames: readonly (keyof Hooks)[] = ["onRequest", "onResponse", "onError"];

/**
 * Checks the names of a proxy's hooks, so that a misspelt one is an error. `beside` are other names that are allowed, `path` is
 * the place of the hooks in the options. Throws an `OptionsError` that names every mistake.
 */
export function checkHooks(hooks: unknown, beside: readonly string[] = [], path: readonly string[] = []): void {
  if (typeof hooks !== "object" || hooks === null || Array.isArray(hooks)) {
    throw new OptionsError([{ path, message: `expected an object with hooks, found ${show(hooks)}` }]);
  }
  const issues = namesIn(hooks).flatMap((name) => issuesOf(name, Reflect.get(hooks, name), beside, path));
  if (issues.length > 0) throw new OptionsError(issues);
}

function issuesOf(
  name: string,
  value: unknown,
  beside: readonly string[],
  path: readonly string[],
): readonly ConfigIssue[] {
  if (beside.includes(name)) return [];
  if (!hookNames.includes(name as keyof Hooks)) {
    const hint = name === "hooks" ? "; give the hooks directly, as in { onRequest }" : didYouMean(name, hookNames);
    return [{ path: [...path, name], message: `unknown key${hint}`, at: "key" }];
  }
  if (value === undefined || typeof value === "function") return [];
  return [{ path: [...path, name], message: `expected a function, found ${show(value)}` }];
}

/** All keys of a plain object. Of an object of a class, which may have other members, the names that look like hooks. */
function namesIn(hooks: object): string[] {
  const prototype: unknown = Object.getPrototypeOf(hooks);
  const plain = prototype === null || prototype === Object.prototype;
  if (plain) return Object.keys(hooks);
  const names = new Set<string>();
  for (let level: object | null = hooks; level !== null && level !== Object.prototype; ) {
    for (const name of Object.getOwnPropertyNames(level)) if (/^on[A-Z]/.test(name)) names.add(name);
    level = Object.getPrototypeOf(level) as object | null;
  }
  return [...names];
}
