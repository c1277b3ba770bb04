import { expect, test } from "vitest";
import type { ProxyOptions } from "../../src/config/options.ts";
import type { Hooks } from "../../src/forward/hooks.ts";
import { settle } from "../../src/runtime/virtual-clock.ts";
import { fieldsOf } from "../contract/client-exchange-harness.ts";
import { startLab } from "../support/forward-lab.ts";
import { refusingUpstream, scriptedUpstream } from "../support/scripted-upstream.ts";

const waiting = { method: "POST", bodyLength: 5, expectsContinue: true };

const refusals: readonly (readonly [string, number, (() => Partial<ProxyOptions>) | undefined, Hooks])[] = [
  ["a body over the limit", 413, () => ({ routes: [{ pool: "app", maxBodySize: "4b" }] }), {}],
  ["no route", 404, () => ({ routes: [{ pool: "app", path: "/elsewhere" }] }), {}],
  ["nobody there", 502, () => ({ pools: { app: { upstreams: [refusingUpstream().url] } } }), {}],
  ["a hook that answers", 401, undefined, { onRequest: (context) => context.respond({ status: 401 }) }],
];

test.each(refusals)("%s is %i without a 100, and the connection ends", async (_what, status, options, hooks) => {
  const upstream = scriptedUpstream("a");
  const lab = startLab({ pools: { app: { upstreams: [upstream.url] } }, ...options?.() } as ProxyOptions, hooks);
  const received = await lab.begin("/case", waiting).ended();
  expect(received).toMatchObject({ informational: [], status, complete: true, closed: true });
  expect(fieldsOf(received.headers, "connection")).toEqual(["close"]);
  await settle();
  expect(lab.requests.map((event) => event.status)).toEqual([status]);
  expect(upstream.received).toEqual([]);
});
