import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Ajv2020 as Ajv, type ValidateFunction } from "ajv/dist/2020.js";
import { createProxy, type ProxyOptions } from "evenkeel";
import { expect, onTestFinished, test } from "vitest";
import { type AdminTarget, createAdmin, proxyTarget, RestartRefused } from "../src/index.ts";
import { groupOf } from "./support/group-target.ts";
import { type SendRequest, serve } from "./support/harness.ts";
import { routesOf } from "./support/routes-of.ts";

interface Response {
  readonly $ref?: string;
  readonly content?: Readonly<Record<string, { readonly schema?: object }>>;
}

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, Response>>;
}

const text = readFileSync(new URL("../openapi.json", import.meta.url), "utf8");
const document = JSON.parse(text) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: object; readonly responses: Readonly<Record<string, Response>> };
};
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

/** The document says what there is; a test accepts nothing else. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strict(value)]));
  const closed = "properties" in copy && copy["type"] === "object" && !("additionalProperties" in copy);
  return closed ? { ...copy, additionalProperties: false } : copy;
}

const ajv = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true });
const validators = new Map<string, ValidateFunction>();
const $defs = strict(document.components.schemas);

/** Throws unless the document has this response of a request, with a schema that accepts its body. */
function check(method: string, path: string, status: number, body: string): void {
  const found = operations.find((one) => one.method === method && matches(one.path, path));
  const listed = found?.operation.responses[status];
  if (listed === undefined) throw new Error(`${method} ${path}: no response ${status}`);
  const response =
    listed.$ref === undefined
      ? listed
      : document.components.responses[listed.$ref.slice("#/components/responses/".length)];
  const schema = response?.content?.["application/json"]?.schema;
  if (schema === undefined) return;
  const text = JSON.stringify({ $defs, ...(strict(schema) as object) }).replaceAll("#/components/schemas/", "#/$defs/");
  const validate = validators.get(text) ?? ajv.compile(JSON.parse(text) as object);
  validators.set(text, validate);
  const valid = validate(JSON.parse(body));
  expect([method, path, status, valid ? [] : validate.errors]).toEqual([method, path, status, []]);
}

function matches(template: string, path: string): boolean {
  const pattern = template.replace("{file}", ".+").replace(/\{\w+\}/g, "[^/]+");
  return new RegExp(`^${pattern.replaceAll(".json", "\\.json")}$`).test(path.replace(/\?.*$/s, ""));
}

test("the document has every resource with its methods, and no other", () => {
  const documented = operations.map(({ method, path }) => `${method} ${path.replace(/\{(\w+)\}/g, ":$1")}`);
  expect(documented.sort()).toEqual(
    routesOf()
      .map(({ method, path }) => `${method} ${path}`)
      .sort(),
  );
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
});

test("the document names every error code", () => {
  const source = new URL("../src/", import.meta.url);
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const codes = files.flatMap((name) =>
    [...readFileSync(new URL(name, source), "utf8").matchAll(/(?:HttpError|errorResponse)\(\s*\d+,\s*"(\w+)"/g)].map(
      ([, code]) => code,
    ),
  );
  expect(codes.length).toBeGreaterThan(20);
  for (const code of codes) expect([code, text.includes(`\`${code}\``)]).toEqual([code, true]);
});

const options = {
  pools: {
    api: {
      upstreams: [
        { id: "a", url: "" },
        { id: "down", url: "http://127.0.0.1:1", maxInFlight: 3 },
      ],
      healthCheck: { path: "/health" },
    },
    other: { upstreams: ["http://127.0.0.1:2"] },
  },
} satisfies ProxyOptions;

/** A proxy with one upstream that fails half of the requests, and one that is down. */
async function optionsWithUpstream(): Promise<ProxyOptions> {
  let count = 0;
  const server = createServer((_req, res) => res.writeHead(++count % 2 === 0 ? 500 : 200).end()).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const [, down] = options.pools.api.upstreams;
  const upstreams = [{ id: "a", url: `http://127.0.0.1:${port}` }, down as { id: string; url: string }];
  return {
    ...options,
    routes: [{ pool: "api" }],
    pools: { ...options.pools, api: { ...options.pools.api, upstreams } },
  };
}

async function exchange(target: AdminTarget, front: number, send: SendRequest): Promise<void> {
  for (let count = 0; count < 8; count++) await fetch(`http://127.0.0.1:${front}/orders?secret=1`);
  const token = { authorization: "Bearer operator" };
  const ask = async (method: string, path: string, body?: unknown, headers: object = token) => {
    const reply = await send(method, path, { headers: { ...headers }, ...(body !== undefined && { body }) });
    check(method, path, reply.status, reply.text);
    return reply;
  };
  await expect.poll(async () => (await ask("GET", "/api/overview")).text, { timeout: 5_000 }).toMatch(/"rate":[1-9]/);
  const paths = operations.filter(
    ({ method, path }) => method === "GET" && !path.includes("{") && !/events|explain/.test(path),
  );
  for (const { path } of paths) expect([path, (await ask("GET", path)).status]).toEqual([path, 200]);
  const upstreams = "/api/pools/api/upstreams";
  for (const path of [
    "/api/history?pool=api",
    "/api/history?pool=api&upstream=a",
    "/api/pools/api",
    upstreams,
    `${upstreams}/a`,
    "/api/explain?url=/orders",
    "/dashboard/index.html",
  ]) {
    expect([path, (await ask("GET", path)).status]).toEqual([path, 200]);
  }
  for (const path of ["/api/history?pool=none", "/api/history?pool=api&upstream=none", "/api/pools/none"]) {
    expect((await ask("GET", path)).status).toBe(404);
  }
  for (const path of ["/api/history?x=1", "/api/history?upstream=a", "/api/history?pool=a&pool=b", "/api/explain"]) {
    expect((await ask("GET", path)).status).toBe(400);
  }
  for (const path of ["/api/overview", "/api/pools/api", "/metrics"]) await ask("GET", path, undefined, {});
  expect((await ask("PATCH", `${upstreams}/a`, { weight: 3 })).status).toBe(200);
  expect((await ask("PATCH", `${upstreams}/a`, { weight: "x" })).status).toBe(422);
  expect((await ask("PATCH", `${upstreams}/a`, { weight: 3 }, { authorization: "Bearer viewer" })).status).toBe(403);
  expect((await ask("PATCH", `${upstreams}/a`, "weight=3")).status).toBe(415);
  expect((await ask("POST", upstreams, { id: "c", url: "http://127.0.0.1:3" })).status).toBe(201);
  expect((await ask("DELETE", `${upstreams}/c`, {})).status).toBe(202);
  expect((await ask("POST", "/api/session", { token: "viewer" }, {})).status).toBe(204);
  expect((await ask("POST", "/api/session", { token: "wrong" }, {})).status).toBe(401);
  expect((await ask("DELETE", "/api/session", {}, {})).status).toBe(204);
  expect((await ask("POST", "/api/reload", {})).status).toBe(501);
  expect((await ask("POST", "/api/restart", {})).status).toBe(409);
  expect(await target.failures()).not.toEqual([]);
}

const adminOptions = {
  token: "operator",
  readToken: "viewer",
  onRestart: () => Promise.reject(new RestartRefused("a restart is in progress")),
};

test("real responses are as the document says", async () => {
  const proxy = createProxy(await optionsWithUpstream());
  onTestFinished(() => proxy.close({ timeout: "0s" }));
  const target = proxyTarget(proxy);
  const admin = createAdmin(target, adminOptions);
  onTestFinished(() => admin.close());
  const front = await serve(proxy.handler);
  await exchange(target, front.port, (await serve(admin.handler)).send);
});

test("and those of a group of workers", async () => {
  const { target, workers } = groupOf(await optionsWithUpstream(), 2);
  const listener = () => ({
    connections: { open: 1, limit: 2, refused: 0, idleClosed: 0 },
    proxyHeaderFailures: 0,
    handshakeFailures: { plainHttp: 1, other: 1 },
    certificateExpiry: Date.now() + 1_000,
  });
  const admin = createAdmin(target, { ...adminOptions, listener });
  onTestFinished(() => admin.close());
  const front = await serve(workers[0].handler);
  await exchange(target, front.port, (await serve(admin.handler)).send);
});
