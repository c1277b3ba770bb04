import { expect, onTestFinished, test } from "vitest";
import { ask, askSeen, closeServer, startUpstream } from "../packages/core/test/support/adapter-lab.ts";
import { start } from "./api-gateway/main.ts";

test("the gateway forwards requests of known users, and sends the user's name to the upstreams", async () => {
  const [users, orders] = [await startUpstream("users"), await startUpstream("orders")];
  const { port, proxy, server } = await start([users.url], [orders.url], 0);
  onTestFinished(async () => {
    await proxy.close({ timeout: "0s" });
    await closeServer(server);
  });
  const known = { authorization: "Bearer open sesame", "x-user": "root" };

  const seen = await askSeen(port, { path: "/users/7", headers: known });
  expect(seen).toMatchObject({ upstream: "users", url: "/users/7", headers: { "x-user": "ali" } });
  expect(seen.headers.authorization).toBeUndefined();
  expect((await askSeen(port, { path: "/orders", method: "POST", body: "{}", headers: known })).upstream).toBe(
    "orders",
  );

  const { status, headers } = await ask(port, { path: "/users/7", headers: { "x-user": "root" } });
  expect([status, headers["www-authenticate"]]).toEqual([401, "Bearer"]);
  expect((await ask(port, { path: "/orders/1", method: "DELETE", headers: known })).status).toBe(404);
});
