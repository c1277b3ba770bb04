import { expect, onTestFinished, test, vi } from "vitest";
import { Balancer } from "../../src/balancer/balancer.ts";
import { ProxyError } from "../../src/errors.ts";
import { rawClient } from "../support/client.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { handshake } from "../support/web-sockets.ts";

/** From now on nothing can be picked in any pool. */
function breakPolicies() {
  const spy = vi.spyOn(Balancer.prototype, "pick").mockImplementation(() => {
    throw new ProxyError("policy_failed", "broken");
  });
  onTestFinished(() => spy.mockRestore());
  return spy;
}

test("a policy that fails is 500 for an upgrade", async () => {
  const { port, finished } = await startProxy({ upstreams: [(await startUpstream("a")).url] });
  breakPolicies();
  const client = await rawClient(port, handshake());
  expect((await client.over()).text).toMatch(/^HTTP\/1\.1 500 [^]*details="policy_failed"/);
  expect((await finished(1))[0]).toMatchObject({ status: 500, error: "policy_failed", attempts: [] });
});
