import { expect, onTestFinished, test, vi } from "vitest";
import { ask, askSeen, startUpstream } from "../packages/core/test/support/adapter-lab.ts";
import { start } from "./fastify/main.ts";

test("the Fastify app serves its own paths, and its hook rejects unauthenticated requests to the proxy", async () => {
  vi.stubEnv("USERS_1", (await startUpstream("one")).url);
  vi.stubEnv("USERS_2", (await startUpstream("two")).url);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { port, close } = await start(0);
  onTestFinished(close);

  expect((await ask(port)).body.toString()).toBe("the app's own page\n");
  expect((await ask(port, { path: "/api/users/1" })).status).toBe(401);
  const headers = { authorization: "Bearer open sesame" };
  const seen = [];
  for (let count = 0; count < 8; count++) seen.push(await askSeen(port, { path: "/api/users/1", headers }));
  expect(seen.map(({ url }) => url)).toEqual(Array(8).fill("/users/1"));
  expect(seen.filter(({ upstream }) => upstream === "one")).toHaveLength(6);
});
