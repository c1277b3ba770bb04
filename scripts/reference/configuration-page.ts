/** Generates docs/configuration.md from the schemas and the docstrings of the options, as json-schema.ts does. */

import { describeTables, docs, type JsonSchema, topLevelDoc, visitTables } from "./json-schema.ts";
import { type OptionDoc, withoutDefault } from "./option-docs.ts";

interface Section {
  /** The table's header, as in a configuration file. */
  readonly title: string;
  readonly text: string;
  readonly rows: readonly Row[];
}

interface Row {
  readonly key: string;
  readonly schema: JsonSchema;
  readonly doc: OptionDoc;
  readonly required: boolean;
}

const introduction = `# Configuration

This page lists every key of a configuration file. \`pnpm reference\` generates it from the source. The same keys are the
options in code, for \`createProxy\` and the adapters. Only the command reads \`[server]\`, \`[admin]\`,
\`[accessLog]\` and \`[tracing]\`.

\`evenkeel check\` reports every mistake of a file with its line and column. Editors complete and check a file that starts with

\`\`\`toml
#:schema ./node_modules/@evenkeel/config/schema.json
\`\`\`

- A **duration** is a string with a unit: \`"250ms"\`, \`"5s"\`, \`"2m"\`, \`"1h"\`. So is a **size**: \`"64kb"\`, \`"10mb"\`.
- \`\${NAME}\` in a string is replaced by the environment variable \`NAME\`. \`\${NAME:-text}\` has a default. \`$\${\` is a literal
  \`\${\`.
- A relative path is relative to the file.
- A file has either \`[pools.NAME]\` tables or the keys of a single pool at the top. The single pool is named \`default\`. With
  several pools \`[[routes]]\` are required. With one pool they are optional and need not name it.
- \`[defaults]\` has every key of a pool except \`upstreams\`. The keys of a pool override it.
`;

/** The sections in the order of the page: the table's header in a file, its interface, and its path in the schema. */
const outline: readonly (readonly [title: string, interfaceName: string, path: readonly string[]])[] = [
  ["[server]", "ServerOptions", ["server"]],
  ["[server.tls]", "ServerTlsOptions", ["server", "tls"]],
  ["[[server.tls.certificates]]", "CertificateOptions", ["server", "tls", "certificates"]],
  ["[server.limits]", "ServerLimitOptions", ["server", "limits"]],
  ["[server.timeouts]", "ServerTimeoutOptions", ["server", "timeouts"]],
  ["[admin]", "AdminOptions", ["admin"]],
  ["[accessLog]", "AccessLogOptions", ["accessLog"]],
  ["[accessLog.fields]", "AccessLogFieldOptions", ["accessLog", "fields"]],
  ["[tracing]", "TracingOptions", ["tracing"]],
  ["[[routes]]", "RouteOptions", ["routes"]],
  ["[routes.requestHeaders], [routes.responseHeaders]", "HeaderChanges", ["routes", "requestHeaders"]],
  ["[pools.NAME]", "PoolOptions", ["pools"]],
  ["[[pools.NAME.upstreams]]", "UpstreamOptions", ["pools", "upstreams"]],
  ["[pools.NAME.healthCheck]", "HealthCheckOptions", ["pools", "healthCheck"]],
  ["[pools.NAME.outlierDetection]", "OutlierDetectionOptions", ["pools", "outlierDetection"]],
  ["[pools.NAME.retry]", "RetryOptions", ["pools", "retry"]],
  ["[pools.NAME.timeouts]", "TimeoutOptions", ["pools", "timeouts"]],
  ["[pools.NAME.queue]", "QueueOptions", ["pools", "queue"]],
  ["[pools.NAME.slowStart]", "SlowStartOptions", ["pools", "slowStart"]],
  ["[pools.NAME.sticky]", "StickyOptions", ["pools", "sticky"]],
  ["[pools.NAME.weights]", "DynamicWeightOptions", ["pools", "weights"]],
  ["[pools.NAME.discovery]", "DiscoveryOptions", ["pools", "discovery"]],
  ["[pools.NAME.connections]", "ConnectionOptions", ["pools", "connections"]],
  ["[pools.NAME.tls]", "TlsOptions", ["pools", "tls"]],
];

export function createConfigurationPage(): string {
  const tables = describeTables();
  const own = new Set(keysOf(tables["pools"]));
  const top = Object.entries(tables).filter(([key]) => !own.has(key));
  const sections: Section[] = [
    {
      title: "At the top",
      text: "",
      rows: top.map(([key, schema]) => ({ key, schema, doc: topLevelDoc(key), required: false })),
    },
    ...outline.map(([title, name, path]) => toSection(title, name, at(tables, path))),
  ];
  const left = [...docs.keys()].filter((name) => !known.has(name));
  if (left.length > 0) throw new Error(`the outline has no section for ${left.join(", ")}`);
  const contents = sections.map(({ title }) => `- [${code(title)}](#${anchor(title)})`);
  return `${[introduction, `${contents.join("\n")}\n`, ...sections.map(render)].join("\n")}`;
}

/** The interfaces that the page covers: those of sections, and those whose keys are in the section of the top. */
const known = new Set([
  ...outline.map(([, name]) => name),
  ...["PoolSettings", "SharedOptions", "ManyPoolsOptions", "OnePoolOptions", "CommandTables"],
]);

function toSection(title: string, name: string, schema: JsonSchema): Section {
  const table = docs.get(name);
  const rows: Row[] = [];
  visitTables(schema, (properties, required) => {
    for (const [key, option] of Object.entries(properties)) {
      const doc = table?.options.get(key);
      if (doc === undefined) throw new Error(`${name} has no docstring for ${key}`);
      rows.push({ key, schema: option, doc, required: required.includes(key) });
    }
  });
  return { title, text: table?.text ?? "", rows };
}

function at(tables: Record<string, JsonSchema>, [first = "", ...rest]: readonly string[]): JsonSchema {
  let found = tables[first];
  for (const key of rest) {
    const above = found;
    if (above === undefined) break;
    found = undefined;
    visitTables(above, (properties) => {
      found ??= properties[key];
    });
  }
  if (found === undefined) throw new Error(`there is no table ${[first, ...rest].join(".")}`);
  return found;
}

function keysOf(schema: JsonSchema | undefined): string[] {
  const keys: string[] = [];
  if (schema !== undefined) visitTables(schema, (properties) => void keys.push(...Object.keys(properties)));
  return keys;
}

function render({ title, text, rows }: Section): string {
  const lines = rows.map(({ key, schema, doc, required }) => {
    const name = `<a id="${anchor(title)}-${key.toLowerCase()}"></a>\`${key}\``;
    const byDefault = required ? "required" : (doc.default ?? "").replace(/^(["[\d]|true|false).*$/, "`$&`");
    const text = withoutDefault(doc) || docs.get(doc.table ?? "")?.text || "";
    return `| ${[name, typeOf(schema), byDefault, escape(text)].join(" | ")}${sectionOf(doc)} |`;
  });
  const table = ["| key | type | default | |", "|---|---|---|---|", ...lines].join("\n");
  return `## ${code(title)}\n\n${text === "" ? "" : `${text}\n\n`}${table}\n`;
}

/** The link from a key that holds a table to the table's section. */
function sectionOf({ table }: OptionDoc): string {
  const section = outline.find(([, name]) => name === table);
  return section === undefined ? "" : ` [More](#${anchor(section[0])}).`;
}

/** The type and the range of a value, in words. */
function typeOf(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(" or ");
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((word) => `\`${JSON.stringify(word)}\``).join(", ");
  if (schema.items !== undefined) return `array: ${typeOf(schema.items)}`;
  if (schema.range !== undefined) {
    const range = schema.range.replace(/^(\d+)000ms/, "$1s").replace(/^0ms/, "0s");
    return `${schema.type === "number" ? "number" : "duration"}, ${range}`;
  }
  if (schema.pattern?.includes("[kKmMgG]")) return "size";
  if (schema.type === "integer") return `whole number, ${schema.minimum} to ${schema.maximum}`;
  if (schema.type === "number") return `number, ${schema.minimum} to ${schema.maximum}`;
  if (schema.type === "boolean") return "`true` or `false`";
  return schema.type === "object" ? "table" : "string";
}

function code(title: string): string {
  return title.replace(/\[+[^\]]+\]+/g, "`$&`");
}

/** The anchor of a heading, as GitHub generates it. */
function anchor(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\w\s-]/g, "")
    .replaceAll(" ", "-");
}

function escape(text: string): string {
  return text.replaceAll("|", "\\|");
}
