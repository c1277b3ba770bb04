/** Finds every mistake of the options: those that the schema sees and those that take two places to see. */

import type * as z from "zod";
import { crossCheckPool, crossCheckPools } from "./cross-checks.ts";
import { type ConfigIssue, didYouMean, toConfigIssues } from "./issues.ts";
import type { HealthCheckOptions, ManyPoolsOptions, OnePoolOptions, PoolOptions } from "./options.ts";
import {
  allowedKeys,
  child,
  collectKeys,
  hasFreeKeys,
  healthCheckSchema,
  manyPoolsSchema,
  onePoolSchema,
  poolSchema,
  withTables,
} from "./schema.ts";
import { isTable } from "./tables.ts";

export interface Checked<T> {
  readonly issues: readonly ConfigIssue[];
  /** A copy of the options as the schema read them. Undefined when it found mistakes. */
  readonly data: T | undefined;
}

/** Further tables at the top of the options, each with what it may hold. */
type Tables = Readonly<Record<string, z.ZodType>>;

/**
 * Finds every mistake in a proxy's options and makes nothing of them: an empty array means that `createProxy` takes
 * them. `tables` are further tables at the top, which belong to the caller and are checked along with the rest.
 */
export function checkOptions(options: unknown, tables: Tables = {}): readonly ConfigIssue[] {
  return (isShort(options) ? checkOnePool(options, tables) : checkManyPools(options, tables)).issues;
}

/** Whether these are the options of one pool, without a name. */
export function isShort(options: unknown): boolean {
  return isTable(options) && !["pools", "routes", "defaults"].some((key) => Object.hasOwn(options, key));
}

export function checkOnePool(options: unknown, tables: Tables = {}): Checked<OnePoolOptions> {
  const schema = withTables(onePoolSchema, tables);
  const hint: Hint = (path, key) => {
    if (isHook(path, key)) return hooksHint;
    const further = path.length === 0 ? ["pools", "routes", "defaults"] : [];
    return didYouMean(key, [...allowedKeys(schema, path), ...further]);
  };
  return check(schema, options, crossCheckPool, hint);
}

export function checkManyPools(options: unknown, tables: Tables = {}): Checked<ManyPoolsOptions> {
  const schema = withTables(manyPoolsSchema, tables);
  const hint: Hint = (path, key) => {
    if (isHook(path, key)) return hooksHint;
    return path.length === 0 && allowedKeys(poolSchema, []).includes(key)
      ? `; with pools of their own names it belongs in one of them, as pools.NAME.${key}`
      : didYouMean(key, allowedKeys(schema, path));
  };
  return check(schema, options, crossCheckPools, hint);
}

export function checkPool(options: unknown): Checked<PoolOptions> {
  return check(poolSchema, options, crossCheckPool);
}

export function checkHealthCheck(options: unknown): Checked<HealthCheckOptions> {
  return check(healthCheckSchema, options, () => []);
}

/** Checks a value by a schema of another stage. */
export function checkAgainst<T>(schema: z.ZodType<T>, value: unknown): Checked<T> {
  return check(schema, value, () => []);
}

/** The names of all options, without names of the user's own such as those of pools and headers. */
export function optionKeys(tables: Tables = {}): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const schema of [withTables(manyPoolsSchema, tables), withTables(onePoolSchema, tables)])
    collectKeys(schema, keys);
  return keys;
}

const hooksHint =
  "; hooks are code and stand beside the options: createProxy(options, { onRequest }), or hooks: { onRequest } for Express and Fastify";

function isHook(path: readonly PropertyKey[], key: string): boolean {
  return path.length === 0 && ["hooks", "onRequest", "onResponse", "onError"].includes(key);
}

/** Ends the sentence about an unknown key. */
type Hint = (path: readonly PropertyKey[], key: string) => string;

function check<T>(
  schema: z.ZodType<T>,
  options: unknown,
  crossChecks: (options: unknown) => ConfigIssue[],
  hint: Hint = (path, key) => didYouMean(key, allowedKeys(schema, path)),
): Checked<T> {
  const { error, data } = schema.safeParse(options);
  const issues = [
    ...toConfigIssues(error?.issues ?? [], options, hint),
    ...prototypeKeys(schema, options, []),
    ...crossChecks(options),
  ];
  return { issues, data };
}

/** The validator passes over a key `__proto__` among names of the user's own, and so would everything after it. */
function prototypeKeys(schema: z.ZodType, value: unknown, path: readonly (string | number)[]): ConfigIssue[] {
  if (typeof value !== "object" || value === null) return [];
  const found: ConfigIssue[] = [];
  if (hasFreeKeys(schema) && Object.hasOwn(value, "__proto__")) {
    found.push({ path: [...path, "__proto__"], message: "unknown key; this name is not allowed anywhere", at: "key" });
  }
  for (const [key, item] of Object.entries(value)) {
    const next = child(schema, key);
    if (next !== undefined)
      found.push(...prototypeKeys(next, item, [...path, Array.isArray(value) ? Number(key) : key]));
  }
  return found;
}
