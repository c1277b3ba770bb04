import { expect, onTestFinished, test, vi } from "vitest";
import { serveAdmin } from "./support/harness.ts";

test("the configuration in force has its defaults and further tables, and no secret", async () => {
  const secret = "hunter2";
  const upstreams = [{ id: "a", url: "http://127.0.0.1:3001" }];
  const options = {
    pools: {
      api: {
        upstreams,
        healthCheck: { path: "/health", headers: { Authorization: `Bearer ${secret}` } },
        sticky: { secret: `${secret}-which-signs-the-cookies-of-clients` },
      },
    },
    routes: [{ pool: "api", requestHeaders: { set: { "X-Api-Key": secret } } }],
  };
  const config = () => ({ admin: { token: "***" } });
  const { send, admin, proxy } = await serveAdmin(options, { token: secret, readToken: `read-${secret}`, config });
  onTestFinished(() => admin.close());
  const reply = await send("GET", "/api/config", { headers: { authorization: `Bearer read-${secret}` } });
  expect(reply.status).toBe(200);
  expect(reply.text).not.toContain(secret);
  expect(reply.json()).toEqual({ config: { ...proxy.describeOptions(), admin: { token: "***" } } });
  expect(reply.json()).toMatchObject({
    config: { pools: { api: { balance: "p2c", healthCheck: { interval: "5s" } } } },
  });
});

test("no response and no log has a token", async () => {
  const tokens = { token: "operator-secret", readToken: "viewer-secret" };
  const log = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  onTestFinished(() => log.mockRestore());
  const { send, admin } = await serveAdmin({ upstreams: ["http://127.0.0.1:1"] }, tokens);
  onTestFinished(() => admin.close());
  const responses: string[] = [];
  for (const secret of [...Object.values(tokens), "wrong-secret"]) {
    const headers = { authorization: `Bearer ${secret}` };
    for (const path of [
      "/api/overview",
      "/api/config",
      "/api/failures",
      "/api/session",
      "/api/openapi.json",
      "/metrics",
    ]) {
      const { text, headers: sent } = await send("GET", path, { headers });
      responses.push(text, JSON.stringify(sent));
    }
    for (const body of [{ token: secret }, { token: secret, more: 1 }, { [secret]: 1 }, `{"token":"${secret}"`]) {
      const more = typeof body === "string" ? { "content-type": "application/json" } : {};
      const { text, headers: sent } = await send("POST", "/api/session", { body, headers: more });
      // The names of unknown keys are repeated, values never.
      if (typeof body === "string" || !(secret in body)) responses.push(text, JSON.stringify(sent));
    }
  }
  expect(
    [...responses, ...log.mock.calls.map(String)].filter((text) => /(?:operator|viewer|wrong)-secret/.test(text)),
  ).toEqual([]);
});
