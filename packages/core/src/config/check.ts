/** Finds every mistake of the options: those that the schema sees and those that take two places to see. */

import type * as z from "zod";
import { type ConfigIssue, didYouMean, toConfigIssues } from "./issues.ts";
import { isTable } from "./merge.ts";
import type { HealthCheckOptions, ManyPoolsOptions, OnePoolOptions, PoolOptions } from "./options.ts";
import { crossCheckOnePool, crossCheckPool, crossCheckPools } from "./schema/cross-checks.ts";
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
} from "./schema/schema.ts";

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

/** Whether these are the options of one pool, without a name. Routes may stand beside them. */
export function isShort(options: unknown): boolean {
  if (!isTable(options) || options["pools"] !== undefined) return false;
  const has = (key: string) => options[key] !== undefined;
  return has("upstreams") || has("discovery") || !(has("routes") || has("defaults"));
}

export function checkOnePool(options: unknown, tables: Tables = {}): Checked<OnePoolOptions> {
  const schema = withTables(onePoolSchema, tables);
  const hint: Hint = (path, key) => {
    if (path.length === 0 && key === "defaults") {
      return "; defaults are for pools with names of their own, and the keys of the only pool stand at the top";
    }
    const further = path.length === 0 ? ["pools"] : [];
    return misplacedHint(schema, path, key) ?? didYouMean(key, [...allowedKeys(schema, path), ...further]);
  };
  const checked = check(schema, withoutUndefined(options), crossCheckOnePool, hint);
  // Said only when it is all that is wrong: with a misspelt key it may be what follows from that.
  return checked.issues.length > 0 ? checked : { issues: missingMembers(options), data: checked.data };
}

export function checkManyPools(options: unknown, tables: Tables = {}): Checked<ManyPoolsOptions> {
  const schema = withTables(manyPoolsSchema, tables);
  const hint: Hint = (path, key) =>
    path.length === 0 && allowedKeys(poolSchema, []).includes(key)
      ? `; with pools of their own names it belongs in one of them, as pools.NAME.${key}`
      : (misplacedHint(schema, path, key) ?? didYouMean(key, allowedKeys(schema, path)));
  return check(schema, withoutUndefined(options), crossCheckPools, hint);
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

/** For a key that exists, but elsewhere: a hook, a route's key outside of routes, or a pool's key in a route. */
function misplacedHint(schema: z.ZodType, path: readonly PropertyKey[], key: string): string | undefined {
  if (isHook(path, key)) return hooksHint;
  // Of these, "pool" is rather a typo of "pools".
  const routeKeys = allowedKeys(schema, ["routes", 0]).filter((routeKey) => routeKey !== "pool");
  const inRoute = path[0] === "routes" && path.length === 2;
  const inPool = path.length === 0 || (path[0] === "pools" && path.length === 2);
  if (inPool && routeKeys.includes(key)) return `; it belongs in a route, as routes[0].${key}`;
  return inRoute && allowedKeys(poolSchema, []).includes(key)
    ? "; it belongs in the pool that the route names"
    : undefined;
}

/** A key that is there but undefined counts as left out, also one that is not allowed. */
function withoutUndefined(options: unknown): unknown {
  if (!isTable(options) || Object.values(options).every((value) => value !== undefined)) return options;
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** The unnamed pool of the short form needs members from the start. A pool that is filled at run time has a name. */
function missingMembers(options: unknown): ConfigIssue[] {
  const { upstreams, discovery } = isTable(options) ? options : {};
  if (discovery !== undefined || (Array.isArray(upstreams) && upstreams.length > 0)) return [];
  if (upstreams === undefined) {
    return [{ path: [], message: "nothing to proxy to: add upstreams, discovery, or a pool with upstreams" }];
  }
  const message =
    "expected at least one upstream, or discovery beside it; a pool that is filled while the proxy runs has a name, as pools.NAME";
  return [{ path: ["upstreams"], message }];
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
