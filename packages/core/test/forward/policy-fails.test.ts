import { expect, onTestFinished, test, vi } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { ProxyError } from "../../src/errors.ts";
import { until } from "../support/event-loop.ts";
import { startLab } from "../support/forward-lab.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

const refused = 'evenkeel; error=proxy_internal_error; details="policy_failed"';

/** From now on nothing can be picked in any pool. */
function breakPolicies() {
  const spy = vi.spyOn(Balancer.prototype, "pick").mockImplementation(() => {
    throw new ProxyError("policy_failed", "broken");
  });
  onTestFinished(() => spy.mockRestore());
  return spy;
}

test("a policy that fails is 500 for its request, and for no other", async () => {
  const lab = startLab({ upstreams: [scriptedUpstream("a").url] });
  lab.on("exception", () => {});
  const broken = breakPolicies();
  const { status, headers } = await lab.fetch("/", { method: "POST", body: "x" });
  expect([status, headers["proxy-status"]]).toEqual([500, refused]);
  expect((await lab.finished(1))[0]).toMatchObject({ status: 500, error: "policy_failed", attempts: [] });
  broken.mockRestore();
  expect((await lab.fetch()).text).toBe("a");
});

test("a policy that fails for one who waits in the queue leaves the one who made room alone", async () => {
  let answer: () => void = () => {};
  const upstream = scriptedUpstream("a", (request) => {
    answer = () => request.respond(200, [], "a");
  });
  const lab = startLab({ upstreams: [{ url: upstream.url, maxInFlight: 1 }] });
  lab.on("exception", () => {});
  const first = lab.fetch();
  await until(() => upstream.received.length === 1);
  const second = lab.fetch();
  await until(() => lab.pool.queue.depth === 1);
  breakPolicies();
  answer();
  expect((await first).text).toBe("a");
  expect((await second).status).toBe(500);
  expect((await lab.finished(2)).map(({ error }) => error).sort()).toEqual(["policy_failed", undefined]);
});
