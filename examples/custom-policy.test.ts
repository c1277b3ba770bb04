import { expect, onTestFinished, test } from "vitest";
import { ask, askSeen, closeServer, startUpstream } from "../packages/core/test/support/adapter-lab.ts";
import { start } from "./custom-policy/main.ts";

test("requests stay in the zone while it has an upstream that may be picked", async () => {
  const ids = ["east-1", "west-1", "west-2"];
  const upstreams = await Promise.all(ids.map(async (id) => ({ id, url: (await startUpstream(id)).url })));
  const { port, proxy, server } = await start("west", upstreams, 0);
  onTestFinished(async () => {
    await proxy.close({ timeout: "0s" });
    await closeServer(server);
  });
  expect(proxy.snapshot().pools[0]?.policy).toBe("nearest-first");
  const pool = proxy.pools.get("default");
  const ask10 = async () =>
    new Set(await Promise.all(Array.from({ length: 10 }, () => askSeen(port).then((s) => s.upstream))));

  expect([...(await ask10())].toSorted()).toEqual(["west-1", "west-2"]);
  pool?.setState("west-1", "draining");
  expect(await ask10()).toEqual(new Set(["west-2"]));
  pool?.setState("west-2", "draining");
  expect(await ask10()).toEqual(new Set(["east-1"]));
  expect((await ask(port)).status).toBe(200);
});
