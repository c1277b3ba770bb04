// How do I test my configuration with failing upstreams?

import assert from "node:assert/strict";
import { test } from "node:test";
import { expectShares, routesOf, scriptedUpstream, startProxy } from "evenkeel/testing";

test("a reset by an upstream does not fail a GET, and a POST is not executed twice", async (t) => {
  const good = await scriptedUpstream(["ok"], { name: "good" });
  const flaky = await scriptedUpstream(["reset"], { name: "flaky" });
  const { url, close } = await startProxy({
    upstreams: [flaky.url, good.url],
    balance: "round-robin",
    outlierDetection: false,
  });
  t.after(() => Promise.all([close(), good.close(), flaky.close()]));

  assert.equal((await fetch(url)).status, 200);
  assert.deepEqual(routesOf([good, flaky]), ["flaky", "good"]);

  await flaky.script(["reset"]);
  const statuses = [];
  for (let count = 0; count < 4; count++) statuses.push((await fetch(url, { method: "POST", body: "1 book" })).status);
  assert.deepEqual(statuses.toSorted(), [200, 200, 502, 502]);
  expectShares([good, flaky], { good: 1, flaky: 1 });
});
