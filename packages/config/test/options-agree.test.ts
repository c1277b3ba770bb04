import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { defaults } from "../src/defaults.ts";
import {
  type AccessLogField,
  accessLogFields,
  type CommandTables,
  type FileOptions,
  parseConfig,
} from "../src/index.ts";

type Complete<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [Key in keyof T]-?: Complete<Exclude<T[Key], undefined>> }
    : T;

const everything: Complete<CommandTables> = {
  server: {
    listen: [":0"],
    workers: "auto",
    shutdownTimeout: "0s",
    drainDelay: "0s",
    maxConnections: 1,
    http2: true,
    h2c: true,
    proxyProtocol: ["::1"],
    tls: { cert: "a.pem", key: "b.pem", certificates: [{ cert: "c.pem", key: "d.pem" }] },
    limits: { headBytes: "1kb", minBodyRate: 1, requestsPerConnection: 1, maxConcurrentStreams: 1 },
    timeouts: { requestHeaders: "1s", requestBody: "1s", keepAlive: "1s" },
  },
  admin: {
    listen: ":0",
    token: "x",
    readToken: "y",
    dashboard: true,
    metrics: true,
    hosts: ["a"],
    readyPools: ["default"],
  },
  accessLog: {
    format: "json",
    path: "stdout",
    fields: {
      preset: "ecs",
      remove: ["referer"],
      rename: Object.fromEntries(accessLogFields.map((name) => [name, `my.${name}`])) as Record<AccessLogField, string>,
      add: { service: "edge" },
    },
  },
  tracing: { endpoint: "http://a/v1/traces", headers: { a: "b" }, serviceName: "a", sampleRatio: 0.5, probes: true },
};

function parse(options: FileOptions): unknown {
  return parseConfig(JSON.stringify(options), { file: "x.json", env: {} });
}

describe("the schema and the interfaces", () => {
  it("have the same keys: the schema accepts every key of the interfaces", () => {
    expect(parse({ upstreams: ["http://a"], ...everything })).toBeDefined();
  });

  it("have the same keys: the schema accepts no other key", () => {
    const file = join(import.meta.dirname, "cases", "not-yet.toml");
    const allowed = Object.fromEntries(
      [
        ...readFileSync(file.replace(".toml", ".error.txt"), "utf8").matchAll(
          /: (\S+)\.\w+: unknown key; allowed here: (.*)/g,
        ),
      ].map(([, table = "", keys = ""]) => [table, keys.split(", ").sort()]),
    );
    expect(allowed).toEqual({
      server: Object.keys(everything.server).sort(),
      "server.tls": Object.keys(everything.server.tls).sort(),
      "server.limits": Object.keys(everything.server.limits).sort(),
      "server.timeouts": Object.keys(everything.server.timeouts).sort(),
      admin: Object.keys(everything.admin).sort(),
      accessLog: Object.keys(everything.accessLog).sort(),
      "accessLog.fields": Object.keys(everything.accessLog.fields).sort(),
      tracing: Object.keys(everything.tracing).sort(),
    });
  });
});

describe("the defaults that the docs quote", () => {
  const tables: Record<string, Record<string, unknown>> = {
    ServerOptions: defaults.server,
    ServerLimitOptions: defaults.serverLimits,
    ServerTimeoutOptions: defaults.serverTimeouts,
    AdminOptions: defaults.admin,
    AccessLogOptions: defaults.accessLog,
    TracingOptions: defaults.tracing,
  };
  const source = readFileSync(new URL("../src/options.ts", import.meta.url), "utf8");
  const quoted = [...source.matchAll(/^export interface (\w+).*?\{\n(.*?)^\}/gms)].flatMap(
    ([, table = "", body = ""]) =>
      [...body.matchAll(/\/\*\*((?:(?!\*\/).)*?)\*\/\s*readonly (\w+)/gs)].flatMap(([, doc = "", key = ""]) => {
        const text = /Default: ("[^"]*"|\d+|\w+)/.exec(doc)?.[1];
        return text === undefined || text === "off" ? [] : [{ table, key, text }];
      }),
  );

  it.each(quoted)("of $table $key: $text", ({ table, key, text }) => {
    expect(tables[table]?.[key]).toEqual(JSON.parse(text));
  });

  it("are complete", () => {
    const expected = Object.entries(tables).flatMap(([table, keys]) =>
      Object.keys(keys).map((key) => `${table}.${key}`),
    );
    expect(quoted.map(({ table, key }) => `${table}.${key}`).sort()).toEqual(expected.sort());
  });
});
