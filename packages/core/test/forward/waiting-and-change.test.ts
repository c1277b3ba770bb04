// Requests that wait while their pool changes: no request waits for an upstream that cannot come, and each gets a response.

import { expect, test } from "vitest";
import type { Pool } from "../../src/pool/pool.ts";
import { until } from "../support/event-loop.ts";
import { startLab } from "../support/forward-lab.ts";
import { refusingUpstream, scriptedUpstream, type UpstreamRequest } from "../support/scripted-upstream.ts";

/** An upstream that responds when told. */
function patient(name: string) {
  const held: UpstreamRequest[] = [];
  const upstream = scriptedUpstream(name, (request) => void held.push(request));
  return { url: upstream.url, held, answerAll: () => held.splice(0).map((request) => request.respond(200, [], name)) };
}

test("one upstream down and the other full is a reason to wait, not to fail", async () => {
  const full = patient("full");
  const upstreams = [{ url: refusingUpstream().url }, { url: full.url, maxInFlight: 1 }];
  const lab = startLab({ upstreams, balance: "round-robin" });
  const answers = Array.from({ length: 4 }, () => lab.fetch());
  for (let served = 0; served < 4; served++) {
    await until(() => full.held.length === 1);
    full.answerAll();
  }
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(lab.pool.queue.depth).toBe(0);
});

test.each([
  ["disabled", (pool: Pool) => pool.setState("a", "disabled")],
  ["without weight", (pool: Pool) => pool.setWeight("a", 0)],
  ["gone", (pool: Pool) => pool.remove("a")],
])("who waits for an upstream that is %s now hears of it at once", async (_, change) => {
  const upstream = patient("a");
  const lab = startLab({ upstreams: [{ id: "a", url: upstream.url, maxInFlight: 1 }] });
  const { pool } = lab;
  const first = lab.fetch();
  await until(() => upstream.held.length === 1);
  const second = lab.fetch();
  await until(() => pool.queue.depth === 1);
  change(pool);
  expect((await second).status).toBe(503);
  upstream.answerAll();
  expect((await first).status).toBe(200);
});

test("a reload that renames a pool loses nobody who waits in it", async () => {
  const upstream = patient("a");
  const options = (name: string) => ({ pools: { [name]: { upstreams: [{ url: upstream.url, maxInFlight: 1 }] } } });
  const lab = startLab(options("before"));
  const before = lab.pool;
  const answers = [lab.fetch(), lab.fetch()];
  await until(() => upstream.held.length === 1 && before.queue.depth === 1);
  lab.reload(options("after"));
  for (let served = 0; served < 2; served++) {
    await until(() => upstream.held.length === 1);
    upstream.answerAll();
  }
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
});
