import { expect, onTestFinished, test, vi } from "vitest";
import { resolvePool } from "../../src/config/resolve.ts";
import { ManagedPool } from "../../src/managed-pool.ts";
import { createProxy } from "../../src/proxy.ts";
import { Connector } from "../../src/transport/connector.ts";
import { resolverOver, scriptedNames } from "../support/names.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

test("the names of a pool are looked up before its first request, and those that join as they come", async () => {
  const clock = new VirtualClock();
  const runtime = { clock, random: () => 0 };
  const names = scriptedNames({ "a.test": ["10.0.0.1"], "b.test": ["10.0.0.2"], "c.test": ["10.0.0.3"] });
  const connector = new Connector(runtime, resolverOver(names, runtime));
  const urls = ["http://a.test", "http://127.0.0.1:1"];
  const atWork = new ManagedPool("api", resolvePool({ upstreams: urls }), runtime, { connector });
  await clock.advanceAsync(0);
  const asked = () => names.questions.splice(0).filter((question) => question.startsWith("A "));
  expect(asked()).toEqual(["A a.test"]);
  atWork.reconfigure(resolvePool({ upstreams: [...urls, "http://b.test"] }));
  atWork.pool.add("http://c.test");
  await clock.advanceAsync(0);
  expect(asked()).toEqual(["A b.test", "A c.test"]);
  const joined = atWork.pool.get("c.test:80");
  expect(joined && connector.nameOf(joined.address)?.known).toBe(true);
  atWork.stop();
});

test("a reload looks all names up again, and a closed proxy none", async () => {
  const refresh = vi.spyOn(Connector.prototype, "refresh");
  const stop = vi.spyOn(Connector.prototype, "stop");
  onTestFinished(() => {
    refresh.mockRestore();
    stop.mockRestore();
  });
  const proxy = createProxy({ upstreams: ["http://localhost:1"] }, { clock: new VirtualClock() });
  proxy.reload({ upstreams: ["http://localhost:1"] });
  expect(refresh).toHaveBeenCalledTimes(1);
  expect(() => proxy.reload({ upstreams: ["nonsense"] })).toThrow();
  expect(refresh).toHaveBeenCalledTimes(1);
  expect(stop).not.toHaveBeenCalled();
  await proxy.close({ timeout: "0ms" });
  expect(stop).toHaveBeenCalledTimes(1);
});
