import { expect, onTestFinished, test, vi } from "vitest";
import { connect, echo, startEcho } from "../packages/core/test/support/adapter-contract.ts";
import { ask, askSeen, startUpstream } from "../packages/core/test/support/adapter-lab.ts";
import { start } from "./express/main.ts";

test("the Express app serves its own paths, balances the others and tunnels", async () => {
  vi.stubEnv("USERS_1", (await startUpstream("one")).url);
  vi.stubEnv("USERS_2", (await startUpstream("two")).url);
  vi.stubEnv("CHAT", (await startEcho()).url);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { port, close } = await start(0);
  onTestFinished(close);

  expect((await ask(port)).body.toString()).toBe("the app's own page\n");
  expect((await ask(port, { path: "/api/orders" })).status).toBe(404);
  const seen = [];
  for (let count = 0; count < 8; count++) seen.push(await askSeen(port, { path: "/api/users/1" }));
  expect(seen.map(({ url }) => url)).toEqual(Array(8).fill("/users/1"));
  expect(seen.filter(({ upstream }) => upstream === "one")).toHaveLength(6);

  const socket = await connect(port, "/api/chat");
  expect(await echo(socket, "hello")).toEqual([Buffer.from("hello"), false]);
  socket.terminate();
});
