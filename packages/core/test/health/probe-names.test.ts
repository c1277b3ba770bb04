import { describe, expect, test } from "vitest";
import { resolveHealthCheck, resolvePool } from "../../src/config/resolve.ts";
import { LookupFailure } from "../../src/dns/lookup-failure.ts";
import type { HealthEvent } from "../../src/events.ts";
import { HealthChecker } from "../../src/health/health-checker.ts";
import { Pool } from "../../src/pool/pool.ts";
import { Connector } from "../../src/transport/connector.ts";
import { resolverOver, type ScriptedNames, scriptedNames } from "../support/names.ts";
import { rawUpstream, response } from "../support/raw-upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** A pool with health checks and scripted DNS, on virtual time. */
function lab(urls: readonly string[], zone: ScriptedNames["zone"]) {
  const clock = new VirtualClock();
  const runtime = { clock, random: () => 0 };
  const names = scriptedNames(zone);
  const connector = new Connector(runtime, resolverOver(names, runtime));
  const pool = Pool.resolved("api", resolvePool({ upstreams: urls }), runtime, connector);
  const check = resolveHealthCheck({ interval: "5s", fastInterval: "1s", timeout: "1s", unhealthyThreshold: 2 });
  const checker = HealthChecker.resolved(pool, check, runtime);
  const events: HealthEvent[] = [];
  pool.on("health", (event) => events.push(event));
  checker.start();
  return { clock, names, pool, checker, events };
}

describe("a probe of an upstream with a DNS name", () => {
  test("fails with dns_failed when DNS does not respond, and upstreams with other names are still probed", async () => {
    const upstream = await rawUpstream({ onRequest: ({ socket }) => socket.write(response("ok")) });
    const urls = [`http://slow.test:${upstream.port}`, `http://good.test:${upstream.port}`];
    const { clock, events, checker } = lab(urls, { "slow.test": "silence", "good.test": ["127.0.0.1"] });
    await clock.advanceAsync(10);
    await upstream.until(() => upstream.requests.length === 1 && upstream.open === 0);
    await clock.advanceAsync(4_000);
    checker.stop();
    expect(events).toMatchObject([
      { upstream: `good.test:${upstream.port}`, to: "healthy" },
      {
        upstream: `slow.test:${upstream.port}`,
        to: "unhealthy",
        reason: "dns_failed",
        cause: "looking up slow.test failed: no answer in time (EAI_AGAIN)",
      },
    ]);
  });

  test("fails with the cause of the failed lookup", async () => {
    const { clock, events, checker } = lab(["http://gone.test"], { "gone.test": "ENOTFOUND" });
    await clock.advanceAsync(3_000);
    checker.stop();
    const cause = "looking up gone.test failed: NXDOMAIN (ENOTFOUND)";
    expect(events).toMatchObject([{ to: "unhealthy", reason: "dns_failed", cause }]);
  });

  test("does not count when this process has no free file descriptor for the lookup", async () => {
    const { clock, names, pool, checker, events } = lab(["http://api.test"], {});
    Object.assign(names, { hosts: () => Promise.reject(new LookupFailure("no file descriptor is left", "not-sent")) });
    await clock.advanceAsync(30_000);
    checker.stop();
    expect(events).toEqual([]);
    expect(pool.snapshot().upstreams[0]?.probes).toEqual({ success: 0, failure: 0 });
  });
});
