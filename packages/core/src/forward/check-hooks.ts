import { type ConfigIssue, didYouMean, OptionsError, show } from "../config/issues.ts";
import type { Hooks } from "./hooks.ts";

const hookNames: readonly (keyof Hooks)[] = ["onRequest", "onResponse", "onError"];

/**
 * Checks the hooks of a proxy by their names, so that a misspelt one is not ignored without a word. `beside` are names that
 * may stand beside the hooks, `path` leads to them. Throws an `OptionsError` that names every mistake.
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
    const hint = name === "hooks" ? "; hooks stand here themselves, as in { onRequest }" : didYouMean(name, hookNames);
    return [{ path: [...path, name], message: `unknown key${hint}`, at: "key" }];
  }
  if (value === undefined || typeof value === "function") return [];
  return [{ path: [...path, name], message: `expected a function, found ${show(value)}` }];
}

/** Every key of a plain object. An object of a class may hold whatever it likes: of that, what is called like a hook. */
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
