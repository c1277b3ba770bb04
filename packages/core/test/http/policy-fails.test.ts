import { expect, onTestFinished, test, vi } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { ProxyError } from "../../src/errors.ts";
import { fetchFrom, rawClient } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { onlyPool, startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { handshake } from "../support/web-sockets.ts";

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
  const upstream = await startUpstream("a");
  const { url, finished } = await startProxy({ upstreams: [upstream.url] });
  const broken = breakPolicies();
  const { status, headers } = await fetchFrom(url, { method: "POST", body: "x" });
  expect([status, headers["proxy-status"]]).toEqual([500, refused]);
  expect((await finished(1))[0]).toMatchObject({ status: 500, error: "policy_failed", attempts: [] });
  broken.mockRestore();
  expect((await fetchFrom(url)).text).toBe("a");
});

test("a policy that fails is 500 for an upgrade", async () => {
  const { port, finished } = await startProxy({ upstreams: [(await startUpstream("a")).url] });
  breakPolicies();
  const client = await rawClient(port, handshake());
  expect((await client.over()).text).toMatch(/^HTTP\/1\.1 500 [^]*details="policy_failed"/);
  expect((await finished(1))[0]).toMatchObject({ status: 500, error: "policy_failed", attempts: [] });
});

test("a policy that fails for one who waits in the queue leaves the one who made room alone", async () => {
  let answer: () => void = () => {};
  const upstream = await startUpstream("a", (_req, res) => {
    answer = () => void res.end("a");
  });
  const { url, proxy, finished } = await startProxy({ upstreams: [{ url: upstream.url, maxInFlight: 1 }] });
  const first = fetchFrom(url);
  await until(() => upstream.received.length === 1);
  const second = fetchFrom(url);
  await until(() => onlyPool(proxy).queue.depth === 1);
  breakPolicies();
  answer();
  expect((await first).text).toBe("a");
  expect((await second).status).toBe(500);
  expect((await finished(2)).map(({ error }) => error).sort()).toEqual(["policy_failed", undefined]);
});
