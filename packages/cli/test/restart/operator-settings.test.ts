import { proxyTarget } from "@evenkeel/admin";
import { createProxy } from "evenkeel";
import { expect, onTestFinished, test } from "vitest";
import { OperatorSettings } from "../../src/restart/operator-settings.ts";

interface UpstreamParts {
  readonly id: string;
  readonly url?: string;
  readonly weight?: number;
}

function settingsOf(...parts: readonly UpstreamParts[]) {
  const upstreams = parts.map((part) => ({ ...part, url: part.url ?? `http://${part.id}` }));
  const proxy = createProxy({ pools: { app: { upstreams } } });
  onTestFinished(() => proxy.close());
  return { settings: new OperatorSettings(proxyTarget(proxy)), proxy };
}

const names = ["weight", "state", "reweighted", "moved", "gone", "reset"];

test("settings of an operator carry over as far as they fit the new configuration", async () => {
  const old = settingsOf(...names.map((id) => ({ id, weight: 2 })));
  const { target } = old.settings;
  for (const id of names) await target.setUpstream("app", id, { weight: 4 });
  // A second change still replaces the configured weight.
  await target.setUpstream("app", "weight", { weight: 5 });
  await target.setUpstream("app", "state", { state: "disabled" });
  await target.setUpstream("app", "reset", { weight: 2 });
  await expect(target.setUpstream("app", "nobody", { weight: 1 })).rejects.toMatchObject({ code: "unknown_upstream" });

  const next = settingsOf(
    { id: "weight", weight: 2 },
    { id: "state", weight: 2 },
    { id: "reweighted", weight: 3 },
    { id: "moved", url: "http://elsewhere", weight: 2 },
    { id: "reset", weight: 2 },
  );
  await next.settings.apply(await old.settings.intent());
  const [pool] = next.proxy.snapshot().pools;
  expect(pool?.upstreams.map(({ id, weight, state }) => [id, weight, state])).toEqual([
    ["weight", 5, "active"],
    ["state", 4, "disabled"],
    ["reweighted", 3, "active"],
    ["moved", 2, "active"],
    ["reset", 2, "active"],
  ]);

  // And from there to the next process.
  const last = settingsOf({ id: "weight", weight: 2 });
  await last.settings.apply(await next.settings.intent());
  expect(last.proxy.snapshot().pools[0]?.upstreams[0]?.weight).toBe(5);
});

test("what an operator changes while the new process starts replaces what it has taken over before", async () => {
  const parts = ["changed", "enabled", "reset", "kept"].map((id) => ({ id, weight: 1 }));
  const [old, next] = [settingsOf(...parts), settingsOf(...parts)];
  const { target } = old.settings;
  for (const { id } of parts) await target.setUpstream("app", id, { weight: 5 });
  await target.setUpstream("app", "enabled", { weight: 1, state: "draining" });
  await next.settings.apply(await old.settings.intent());
  const states = () => next.proxy.snapshot().pools[0]?.upstreams.map(({ weight, state }) => [weight, state]);
  expect(states()).toEqual([
    [5, "active"],
    [1, "draining"],
    [5, "active"],
    [5, "active"],
  ]);

  await target.setUpstream("app", "changed", { weight: 7 });
  await target.setUpstream("app", "enabled", { state: "active" });
  await target.setUpstream("app", "reset", { weight: 1 });
  await next.settings.apply(await old.settings.intent());
  expect(states()).toEqual([
    [7, "active"],
    [1, "active"],
    [1, "active"],
    [5, "active"],
  ]);
  // And from there to the next process.
  const last = settingsOf({ id: "changed", weight: 1 });
  await last.settings.apply(await next.settings.intent());
  expect(last.proxy.snapshot().pools[0]?.upstreams[0]?.weight).toBe(7);
});

test("the weights that are remembered are bounded: the one that was set first is forgotten", async () => {
  const { proxy } = settingsOf({ id: "a" }, { id: "b" }, { id: "c" });
  const settings = new OperatorSettings(proxyTarget(proxy), 2);
  for (const [id, weight] of [
    ["a", 3],
    ["b", 4],
    ["a", 5],
    ["c", 6],
  ] as const) {
    await settings.target.setUpstream("app", id, { weight });
  }
  const intent = await settings.intent();
  expect(intent.map(({ upstream, weight }) => [upstream, weight])).toEqual([
    ["a", { set: 5, configured: 1 }],
    ["c", { set: 6, configured: 1 }],
  ]);
});

test("a weight that a reload has replaced is not in force any more", async () => {
  const { settings, proxy } = settingsOf({ id: "a", weight: 1 });
  await settings.target.setUpstream("app", "a", { weight: 5 });
  proxy.reload({ pools: { app: { upstreams: [{ id: "a", url: "http://a", weight: 2 }] } } });
  expect(await settings.intent()).toEqual([]);
});
