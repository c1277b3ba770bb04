import { expect, test } from "vitest";
import { serveAdmin } from "./support/harness.ts";

const options = {
  pools: { api: { upstreams: [{ id: "a", url: "http://127.0.0.1:3001" }] } },
  routes: [{ host: "shop.example", path: "/api", methods: ["POST"], pool: "api" }],
};

test("explains the request that the query describes", async () => {
  const { send, proxy } = await serveAdmin(options);
  const query = new URLSearchParams({
    method: "POST",
    url: "/api/x?y=1",
    host: "shop.example:8080",
    client: "192.0.2.1",
  });
  query.append("header", "X-User: 7");
  const reply = await send("GET", `/api/explain?${query}`);
  expect(reply.status).toBe(200);
  const { time: _, ...expected } = proxy.explain({
    method: "POST",
    url: "/api/x?y=1",
    headers: { Host: "shop.example:8080", "X-User": "7" },
    client: "192.0.2.1",
  });
  expect(reply.json()).toMatchObject(JSON.parse(JSON.stringify(expected)));
  expect(expected.route).toBe(0);
});

test("a request that would be rejected is explained too", async () => {
  const { send } = await serveAdmin(options);
  const reply = await send("GET", "/api/explain?url=/nowhere");
  expect(reply.status).toBe(200);
  expect(reply.json()).toMatchObject({ refusal: { code: "no_route", status: 404 }, pool: null });
});

test.each([
  ["no url", ""],
  ["an unknown parameter", "?url=/&methd=GET"],
  ["two urls", "?url=/&url=/"],
  ["two hosts", "?url=/&host=a&host=b"],
  ["a header without a value", "?url=/&header=X-User"],
  ["a header with a bad name", "?url=/&header=X%20User:%207"],
  ["an invalid flag", "?url=/&secure=maybe"],
])("an invalid query is 400: %s", async (_name, query) => {
  const { send } = await serveAdmin(options);
  const reply = await send("GET", `/api/explain${query}`);
  expect([reply.status, reply.json().error.code]).toEqual([400, "bad_request"]);
  expect(reply.json().error.message).not.toBe("");
});

test("needs the token, and changes nothing", async () => {
  const { send } = await serveAdmin(options, { token: "open-sesame" });
  expect((await send("GET", "/api/explain?url=/")).status).toBe(401);
  const authorization = "Bearer open-sesame";
  expect((await send("GET", "/api/explain?url=/", { headers: { authorization } })).status).toBe(200);
  expect((await send("POST", "/api/explain?url=/", { headers: { authorization }, body: {} })).status).toBe(405);
});
