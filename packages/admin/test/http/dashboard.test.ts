import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { expect, test } from "vitest";
import { createAdmin } from "../../src/index.ts";
import { proxySnapshot, proxyWith, type SendRequest, serve } from "../support/harness.ts";

const page = readFileSync(new URL("../../dist/dashboard/index.html", import.meta.url), "utf8");

async function serveDashboard(options: Parameters<typeof createAdmin>[1] = {}): Promise<SendRequest> {
  const { handler } = createAdmin(proxyWith(proxySnapshot), { sampleAfter: new Promise(() => {}), ...options });
  return (await serve(handler)).send;
}

test("the page and its files need no token, run code of their own origin only, and cannot be framed", async () => {
  const send = await serveDashboard({ token: "open-sesame" });
  const reply = await send("GET", "/");
  expect([reply.status, reply.text]).toEqual([200, page]);
  const files = [...page.matchAll(/(?:src|href)="(dashboard\/[^"]+)"/g)].map(([, file = ""]) => `/${file}`);
  expect(files.length).toBeGreaterThan(3);
  const types = { js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml" };
  for (const file of ["/", ...files]) {
    const { status, headers } = await send("GET", file);
    const type = types[/\.(\w+)$/.exec(file)?.[1] as "js"] ?? "text/html; charset=utf-8";
    expect([file, status, headers["content-type"]]).toEqual([file, 200, type]);
    expect(headers).toMatchObject({
      "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      "permissions-policy": expect.stringContaining("camera=()"),
      "cache-control": file.endsWith(".svg") ? "max-age=3600" : "no-cache",
      etag: expect.stringMatching(/^"[\w-]{22}"$/),
    });
  }
  const licenses = await send("GET", "/dashboard/vendor/NOTICE.txt");
  expect(licenses.status).toBe(200);
  for (const name of ["htm", "preact", "uplot"]) expect(licenses.text).toMatch(new RegExp(`^${name} \\d`, "m"));
});

test("an unchanged file is 304 without a body", async () => {
  const send = await serveDashboard();
  const etag = (await send("GET", "/")).headers.etag ?? "";
  for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
    const reply = await send("GET", "/", { headers: { "if-none-match": tag } });
    expect([reply.status, reply.text, reply.headers.etag, reply.headers["content-length"]]).toEqual([
      304,
      "",
      etag,
      undefined,
    ]);
  }
  expect((await send("GET", "/", { headers: { "if-none-match": '"x"' } })).status).toBe(200);
  const head = await send("HEAD", "/");
  expect([head.status, head.text, head.headers["content-length"]]).toEqual([200, "", `${Buffer.byteLength(page)}`]);
});

test.each([
  "/dashboard/../package.json",
  "/dashboard/%2e%2e/%2e%2e/package.json",
  "/dashboard/..%2findex.js",
  "/dashboard//etc/passwd",
  "/dashboard/vendor",
  "/dashboard/constructor",
  "/dashboard/.dashboard.tsbuildinfo",
  "/index.html",
])("no path leads to another file: %s", async (path) => {
  const send = await serveDashboard();
  expect((await send("GET", path)).status).toBe(404);
});

test("the page needs a known Host, loads its own files only, and changes nothing", async () => {
  const send = await serveDashboard({ token: "open-sesame", hosts: ["admin.example"] });
  const get = async (headers: object, path = "/dashboard/main.js") =>
    (await send("GET", path, { headers: { ...headers } })).status;
  expect(await get({ host: "evil.example" }, "/")).toBe(421);
  expect(await get({ host: "admin.example" }, "/")).toBe(200);
  // A link of another site leads to the page; its data needs the session, which is not sent along.
  expect(await get({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, "/")).toBe(200);
  expect(await get({ "sec-fetch-site": "same-origin", "sec-fetch-mode": "no-cors" })).toBe(200);
  expect(await get({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" })).toBe(403);
  expect(await get({ origin: "https://evil.example" })).toBe(403);
  expect((await send("POST", "/", { body: {} })).status).toBe(405);
});

test("can be switched off", async () => {
  const send = await serveDashboard({ dashboard: false });
  expect([(await send("GET", "/")).status, (await send("GET", "/dashboard/main.js")).status]).toEqual([404, 404]);
});

test("without a slash at the end of its mount path it redirects, and never to another host", async () => {
  const { handler } = createAdmin(proxyWith(proxySnapshot), { sampleAfter: new Promise(() => {}) });
  const { send } = await serve((req, res) => {
    (req as IncomingMessage & { originalUrl?: string }).originalUrl = req.url ?? "";
    req.url = "/";
    handler(req, res);
  });
  for (const [path, location] of [
    ["/ops", "./ops/"],
    ["/a/ops?theme=dark", "./ops/?theme=dark"],
    ["//evil.example", "./evil.example/"],
    ["/https:evil", "./https:evil/"],
  ] as const) {
    const reply = await send("GET", path);
    expect([path, reply.status, reply.headers.location]).toEqual([path, 308, location]);
  }
  expect((await send("GET", "/ops/?x")).status).toBe(200);
});
