import type { ConfigIssue } from "evenkeel";
import { type AccessLogField, accessLogAdditions, accessLogFields, accessLogNames } from "../access-log-fields.ts";
import { limits } from "../defaults.ts";
import type { AccessLogFieldOptions } from "../options.ts";

/**
 * Finds mistakes in `[accessLog.fields]` that concern more than one key. Skips values of the wrong shape, which the schema
 * reports.
 */
export function checkAccessLogFields(accessLog: unknown): ConfigIssue[] {
  const { fields, format = "json" } = (isTable(accessLog) ? accessLog : {}) as Readonly<Record<string, unknown>>;
  if (!isTable(fields)) return [];
  const path = ["accessLog", "fields"];
  if (format !== "json") return [{ path, message: 'only lines of format = "json" have fields' }];
  const options = sound(fields as AccessLogFieldOptions);
  const { add = {}, rename = {} } = options;
  if (Object.keys(add).length > limits.addedFields) {
    return [{ path: [...path, "add"], message: `expected at most ${limits.addedFields} fields` }];
  }
  const taken = new Set(Object.keys(accessLogAdditions(options)));
  return accessLogNames(options).flatMap(([field, name]) => {
    if (!taken.has(name)) {
      taken.add(name);
      return [];
    }
    const place = Object.hasOwn(add, name) ? ["add", name] : Object.hasOwn(rename, field) ? ["rename", field] : [];
    return [{ path: [...path, ...place], message: `a line would have two fields named ${JSON.stringify(name)}` }];
  });
}

/** The parts of the table that have the right shape. */
function sound({ preset, remove, rename, add }: AccessLogFieldOptions): AccessLogFieldOptions {
  const isField = (name: string): name is AccessLogField => (accessLogFields as readonly string[]).includes(name);
  const names = Object.entries(isTable(rename) ? rename : {}).filter(
    ([key, name]) => isField(key) && typeof name === "string",
  );
  return {
    ...((preset === "ecs" || preset === "otel") && { preset }),
    remove: Array.isArray(remove) ? remove.filter(isField) : [],
    rename: Object.fromEntries(names),
    add: isTable(add) ? add : {},
  };
}

function isTable(value: unknown): value is Readonly<Record<string, never>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
