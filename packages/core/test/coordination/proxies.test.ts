import { expect, onTestFinished, test } from "vitest";
import { SharedState } from "../../src/coordination/shared-state.ts";
import type { StateUpdate } from "../../src/coordination/state-update.ts";
import type { HealthEvent } from "../../src/events.ts";
import { createProxy, type Proxy } from "../../src/proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";

test("proxies with a coordination share probes, weights and members", async () => {
  const [a, b] = await Promise.all([startUpstream("a"), startUpstream("b")]);
  const ids = ["p", "q", "r", "s"];
  const states = new Map<string, SharedState>();
  const options = {
    pools: {
      api: { upstreams: [{ id: "a", url: a.url }], healthCheck: { initialState: "checking", fastInterval: "100ms" } },
    },
    routes: [{ pool: "api" }],
  } as const;
  const proxies = ids.map((self): Proxy => {
    const send = (update: StateUpdate) => {
      for (const [id, state] of states) if (id !== self) state.receive(structuredClone(update));
    };
    const state = new SharedState({ self, isProber: () => self === "p", send });
    states.set(self, state);
    return createProxy(options, { coordination: state });
  });
  onTestFinished(async () => void (await Promise.all(proxies.map((proxy) => proxy.close({ timeout: "0s" })))));
  for (const state of states.values()) state.setParticipants(ids);

  const allHealthy = (id: string) =>
    Promise.all(
      proxies.map(
        (proxy) =>
          new Promise<HealthEvent>((resolve) => {
            proxy.on("health", (event) => event.upstream === id && resolve(event));
          }),
      ),
    );
  for (const event of await allHealthy("a")) expect(event).toMatchObject({ pool: "api", to: "healthy" });
  expect(a.received).toHaveLength(1);

  const [p, q, r] = proxies;
  const joined = allHealthy("b");
  q?.pools.get("api")?.add({ id: "b", url: b.url, weight: 3 });
  expect(r?.pools.get("api")?.get("b")).toMatchObject({ held: true });
  await joined;
  expect(b.received).toHaveLength(1);
  p?.pools.get("api")?.setWeight("b", 7);
  expect(
    proxies.map((proxy) => proxy.snapshot().pools[0]?.upstreams.map(({ weight, health }) => [weight, health])),
  ).toEqual(
    Array(4).fill([
      [1, "healthy"],
      [7, "healthy"],
    ]),
  );
  for (const state of states.values()) state.setGeneration("2");
  for (const proxy of proxies) proxy.reload(options);
  for (const proxy of proxies) expect(proxy.pools.get("api")?.upstreams.map(({ id }) => id)).toEqual(["a"]);
});
