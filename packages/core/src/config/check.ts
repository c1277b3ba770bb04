/** Finds every mistake in the options: those that the schema detects, and those between two keys (cross checks). */

import type * as z from "zod";
import { type ConfigIssue, didYouMean, toConfigIssues } from "./issues.ts";
import { isTable } from "./merge.ts";
import type { HealthCheckOptions, ManyPoolsOptions, OnePoolOptions, PoolOptions } from "./options.ts";
import { crossCheckOnePool, crossCheckPool, crossCheckPools } from "./schema/cross-checks.ts";
import {
  allowedKeys,
  collectKeys,
  healthCheckSchema,
  isRecord,
  manyPoolsSchema,
  onePoolSchema,
  poolSchema,
  schemaOfKey,
  withTables,
} from "./schema/schema.ts";

export interface Checked<T> {
  readonly issues: readonly ConfigIssue[];
  /** A copy of the options as parsed by the schema. Undefined if the schema has found mistakes. */
  readonly data: T | undefined;
}

/** Schemas of additional tables at the top of the options, by key. */
type Tables = Readonly<Record<string, z.ZodType>>;

/**
 * Returns every mistake in a proxy's options. If the array is empty, `createProxy` accepts them. `tables` are the schemas of
 * the caller's own tables at the top; they are checked too.
 */
export function checkOptions(options: unknown, tables: Tables = {}): readonly ConfigIssue[] {
  return (isOnePoolForm(options) ? checkOnePool(options, tables) : checkManyPools(options, tables)).issues;
}

/** Whether the options are `OnePoolOptions`: the settings of a single pool are at the top. */
export function isOnePoolForm(options: unknown): boolean {
  if (!isTable(options) || options["pools"] !== undefined) return false;
  const has = (key: string) => options[key] !== undefined;
  return has("upstreams") || has("discovery") || !(has("routes") || has("defaults"));
}

export function checkOnePool(options: unknown, tables: Tables = {}): Checked<OnePoolOptions> {
  const schema = withTables(onePoolSchema, tables);
  const hint: Hint = (path, key) => {
    if (path.length === 0 && key === "defaults") {
      return "; defaults are for named pools, and the keys of a single pool are at the top";
    }
    const further = path.length === 0 ? ["pools"] : [];
    return misplacedHint(schema, path, key) ?? didYouMean(key, [...allowedKeys(schema, path), ...further]);
  };
  const checked = check(schema, withoutUndefined(options), crossCheckOnePool, hint);
  // Reported only if there is no other mistake: a misspelt key can be the cause.
  return checked.issues.length > 0 ? checked : { issues: missingMembers(options), data: checked.data };
}

export function checkManyPools(options: unknown, tables: Tables = {}): Checked<ManyPoolsOptions> {
  const schema = withTables(manyPoolsSchema, tables);
  const hint: Hint = (path, key) =>
    path.length === 0 && allowedKeys(poolSchema, []).includes(key)
      ? `; with named pools it belongs in one of them, as pools.NAME.${key}`
      : (misplacedHint(schema, path, key) ?? didYouMean(key, allowedKeys(schema, path)));
  return check(schema, withoutUndefined(options), crossCheckPools, hint);
}

export function checkPool(options: unknown): Checked<PoolOptions> {
  return check(poolSchema, options, crossCheckPool);
}

export function checkHealthCheck(options: unknown): Checked<HealthCheckOptions> {
  return check(healthCheckSchema, options, () => []);
}

/** Checks a value against a schema of another module. */
export function checkAgainst<T>(schema: z.ZodType<T>, value: unknown): Checked<T> {
  return check(schema, value, () => []);
}

/** The names of all options, without names that the user chooses, such as those of pools and headers. */
export function optionKeys(tables: Tables = {}): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const schema of [withTables(manyPoolsSchema, tables), withTables(onePoolSchema, tables)])
    collectKeys(schema, keys);
  return keys;
}

const hooksHint =
  "; hooks are functions beside the options: createProxy(options, { onRequest }), or hooks: { onRequest } for Express and Fastify";

function isHook(path: readonly PropertyKey[], key: string): boolean {
  return path.length === 0 && ["hooks", "onRequest", "onResponse", "onError"].includes(key);
}

/** The hint for a key in the wrong table: a hook, a route's key outside of routes, or a pool's key in a route. */
function misplacedHint(schema: z.ZodType, path: readonly PropertyKey[], key: string): string | undefined {
  if (isHook(path, key)) return hooksHint;
  // "pool" at the top is more likely a typo of "pools".
  const routeKeys = allowedKeys(schema, ["routes", 0]).filter((routeKey) => routeKey !== "pool");
  const inRoute = path[0] === "routes" && path.length === 2;
  const inPool = path.length === 0 || (path[0] === "pools" && path.length === 2);
  if (inPool && routeKeys.includes(key)) return `; it belongs in a route, as routes[0].${key}`;
  return inRoute && allowedKeys(poolSchema, []).includes(key)
    ? "; it belongs in the pool that the route names"
    : undefined;
}

/** A key with the value undefined counts as absent, also one that is not allowed. */
function withoutUndefined(options: unknown): unknown {
  if (!isTable(options) || Object.values(options).every((value) => value !== undefined)) return options;
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** The pool of the short form must have upstreams or discovery. Only a named pool may get its upstreams at run time. */
function missingMembers(options: unknown): ConfigIssue[] {
  const { upstreams, discovery } = isTable(options) ? options : {};
  if (discovery !== undefined || (Array.isArray(upstreams) && upstreams.length > 0)) return [];
  if (upstreams === undefined) {
    return [{ path: [], message: "nothing to proxy to: add upstreams, discovery, or a pool with upstreams" }];
  }
  const message =
    "expected at least one upstream, or discovery; to add upstreams at run time, use a named pool, as pools.NAME";
  return [{ path: ["upstreams"], message }];
}

/** Returns the end of the sentence about an unknown key. */
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

/** Reports keys `__proto__` in tables with names that the user chooses: zod ignores them there. */
function prototypeKeys(schema: z.ZodType, value: unknown, path: readonly (string | number)[]): ConfigIssue[] {
  if (typeof value !== "object" || value === null) return [];
  const found: ConfigIssue[] = [];
  if (isRecord(schema) && Object.hasOwn(value, "__proto__")) {
    found.push({ path: [...path, "__proto__"], message: "unknown key; this name is not allowed anywhere", at: "key" });
  }
  for (const [key, item] of Object.entries(value)) {
    const next = schemaOfKey(schema, key);
    if (next !== undefined)
      found.push(...prototypeKeys(next, item, [...path, Array.isArray(value) ? Number(key) : key]));
  }
  return found;
}
