import { createProxy, type WeightEvent } from "evenkeel";
import { expect, onTestFinished, test } from "vitest";
import type { GroupReports } from "../../src/workers/group-reports.ts";
import { GroupTarget } from "../../src/workers/group-target.ts";
import type { Supervisor } from "../../src/workers/supervisor.ts";

test("a change of weight by traffic is an event of the workers only: the primary has none", () => {
  const upstreams = ["a", "b"].map((id) => ({ id, url: `http://127.0.0.1:1/${id}` }));
  const proxy = createProxy({ upstreams, slowStart: {} });
  onTestFinished(() => proxy.close());
  const target = new GroupTarget(proxy, {} as Supervisor, {} as GroupReports);
  const events: (readonly [WeightEvent["reason"], number | undefined])[] = [];
  const listener = ({ reason, worker }: WeightEvent & { readonly worker?: number }) =>
    void events.push([reason, worker]);
  target.on("weight", listener);
  const pool = proxy.pools.get("default");
  const upstream = pool?.get("a");
  if (pool === undefined || upstream === undefined) throw new Error("no upstream");
  // Each worker applies the verdict too, and begins a slow start of its own.
  pool.setHealth(upstream, "unhealthy", "status 503");
  pool.setHealth(upstream, "healthy", "status 200");
  expect(upstream.slowStart).toBeLessThan(1);
  expect(events).toEqual([]);
  target.emit("weight", { reason: "slow-start" }, 2);
  pool.setWeight("a", 3);
  expect(events).toEqual([
    ["slow-start", 2],
    ["operator", undefined],
  ]);
  target.off("weight", listener);
  pool.setWeight("a", 4);
  expect(events).toHaveLength(2);
});
