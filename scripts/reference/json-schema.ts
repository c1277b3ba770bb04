/**
 * Generates the JSON Schema of a configuration file from the zod schemas and from the docstrings of the options.
 *
 * The JSON Schema is for editors. It accepts every valid file. What only code can check, it leaves to `evenkeel check`. A
 * string that contains `${` can become any value, so it is valid wherever a string is.
 */

import * as z from "zod";
import { commandTables } from "../../packages/config/src/command-tables/schema.ts";
import { manyPoolsSchema, onePoolSchema } from "../../packages/core/src/config/schema/schema.ts";
import { type OptionDoc, readOptionDocs, type TableDoc } from "./option-docs.ts";

export interface JsonSchema {
  type?: string;
  description?: string;
  default?: unknown;
  pattern?: string;
  /** The range that a pattern cannot express, in words. Not a keyword of JSON Schema; removed at the end. */
  range?: string;
  /** An integer in this range is valid in place of the string. Not a keyword of JSON Schema; removed at the end. */
  orNumber?: readonly [min: number, max: number];
  minLength?: number;
  minimum?: number;
  maximum?: number;
  enum?: unknown[];
  const?: unknown;
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  propertyNames?: JsonSchema;
  additionalProperties?: JsonSchema | false;
  anyOf?: JsonSchema[];
  required?: string[];
  [keyword: string]: unknown;
}

export const docs: ReadonlyMap<string, TableDoc> = readOptionDocs(
  [
    "core/src/config/options.ts",
    "core/src/config/options/health-options.ts",
    "core/src/config/options/discovery-options.ts",
    "core/src/config/options/connection-options.ts",
    "core/src/config/options/weight-options.ts",
    "config/src/options.ts",
  ].map((file) => `${import.meta.dirname}/../../packages/${file}`),
);

/** The tables of a file as the zod schemas define them, without descriptions. */
export function describeTables(): Record<string, JsonSchema> {
  const command = z.strictObject(commandTables);
  const [one, many, own] = [onePoolSchema, manyPoolsSchema, command].map((schema) => toJson(schema).properties ?? {});
  return { ...one, ...many, ...own };
}

/** The whole JSON Schema, with descriptions. */
export function createJsonSchema(): JsonSchema {
  const properties = describeTables();
  for (const [key, schema] of Object.entries(properties)) describe(schema, topLevelDoc(key));
  const short = Object.keys(toJson(onePoolSchema).properties ?? {});
  const shared = new Set(Object.keys(toJson(manyPoolsSchema).properties ?? {}));
  const forOnePool = short.filter((key) => !shared.has(key));
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Evenkeel",
    description: "The configuration of an Evenkeel proxy.",
    type: "object",
    properties,
    additionalProperties: false,
    // Either named pools, or the options of one pool at the top.
    if: { required: ["pools"] },
    // biome-ignore lint/suspicious/noThenProperty: `then` is a keyword of JSON Schema.
    then: { properties: Object.fromEntries(forOnePool.map((key) => [key, false])) },
    else: { anyOf: [{ required: ["upstreams"] }, { required: ["discovery"] }], properties: { defaults: false } },
  };
}

/** The docstring of a key at the top of a file. */
export function topLevelDoc(key: string): OptionDoc {
  const found = ["CommandTables", "ManyPoolsOptions", "OnePoolOptions"]
    .map((name) => docs.get(name)?.options.get(key))
    .find((doc) => doc !== undefined);
  if (found === undefined) throw new Error(`no interface has the key ${key}`);
  return found;
}

/** Adds descriptions and defaults to a schema, and accepts `${` in every string. */
function describe(schema: JsonSchema, doc: OptionDoc): void {
  const table = doc.table === undefined ? undefined : docs.get(doc.table);
  const range = schema.range === undefined ? [] : [`Range: ${schema.range}.`];
  const description = [doc.text || table?.text, ...range].filter(Boolean).join(" ");
  visitTables(schema, (properties) => {
    for (const [key, option] of Object.entries(properties)) {
      const inner = table?.options.get(key);
      if (inner === undefined) throw new Error(`${doc.table} has no docstring for ${key}`);
      describe(option, inner);
    }
  });
  fromEnvironment(schema);
  if (description !== "") schema.description = description;
  const value = literal(doc.default);
  if (value !== undefined) schema.default = value;
}

function literal(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Calls back with the keys of each table that a value can be, or can contain in an array, a record or a union. */
export function visitTables(
  schema: JsonSchema,
  callback: (properties: Record<string, JsonSchema>, required: readonly string[]) => void,
): void {
  if (schema.properties !== undefined) callback(schema.properties, schema.required ?? []);
  for (const inner of [schema.items, schema.additionalProperties, ...(schema.anyOf ?? [])]) {
    if (inner) visitTables(inner, callback);
  }
}

function fromEnvironment(schema: JsonSchema): void {
  delete schema.range;
  for (const inner of [schema.items, schema.additionalProperties, ...(schema.anyOf ?? [])]) {
    if (inner) fromEnvironment(inner);
  }
  if (schema.type !== "string" || schema.pattern?.endsWith("|\\$\\{")) return;
  if (schema.enum !== undefined) {
    schema.anyOf = [
      { type: "string", enum: schema.enum },
      { type: "string", pattern: "\\$\\{" },
    ];
    delete schema.enum;
    delete schema.type;
    return;
  }
  const shape = schema.minLength === undefined ? schema.pattern : `^[\\s\\S]{${schema.minLength},}$`;
  delete schema.minLength;
  if (shape !== undefined) schema.pattern = `${shape}|\\$\\{`;
}

function toJson(schema: z.ZodType): JsonSchema {
  const made = z.toJSONSchema(schema, {
    target: "draft-7",
    io: "input",
    // A `Policy` object, which is possible in code only.
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      const json = jsonSchema as JsonSchema;
      if (zodSchema._zod.def.type === "union") withoutCode(json);
      if (zodSchema._zod.def.type === "pipe") withShortForm(json);
      if (json.orNumber !== undefined) withNumber(json);
      if (json.pattern !== undefined) json.pattern = portable(json.pattern);
      if (json.propertyNames?.pattern !== undefined) json.propertyNames.pattern = portable(json.propertyNames.pattern);
    },
  });
  return made as JsonSchema;
}

function withoutCode(json: JsonSchema): void {
  const left = (json.anyOf ?? []).filter((option) => Object.keys(option).length > 0);
  if (left.length > 1) return;
  delete json.anyOf;
  Object.assign(json, left[0]);
}

/** A preprocessed value has a short form: a string in place of an array with one item, or of a table with one `url`. */
function withShortForm(json: JsonSchema): void {
  const { description: _, ...long } = json;
  const short = long.items ?? long.properties?.["url"];
  if (short === undefined) return;
  for (const key of Object.keys(json)) delete json[key];
  json.anyOf = [structuredClone(short), long];
}

function withNumber(json: JsonSchema): void {
  const { orNumber: [minimum, maximum] = [], ...text } = json;
  for (const key of Object.keys(json)) delete json[key];
  json.anyOf = [{ type: "integer", minimum, maximum } as JsonSchema, text];
}

/** TOML editors use Rust's regular expressions, in which a bracket within a class is escaped and a slash is not. */
function portable(pattern: string): string {
  return pattern
    .replaceAll("\\/", "/")
    .replace(/\\.|\[(?:\\.|[^\]\\])*\]/g, (part) =>
      part.startsWith("[") ? `[${part.slice(1).replace(/(?<!\\)\[/g, "\\[")}` : part,
    );
}
