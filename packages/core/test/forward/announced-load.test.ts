import { describe, expect, test } from "vitest";
import type { PoolOptions } from "../../src/config/options.ts";
import { startLab } from "../support/forward-lab.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

/** An upstream that reports the load it is told to, behind a proxy that uses it. */
function announcing(lines: readonly string[], options: Partial<PoolOptions> = {}, status = 200) {
  const upstream = scriptedUpstream("a", (request) => request.respond(status, [...lines, "X-Other", "1"]));
  const upstreams = [{ id: "a", url: upstream.url, weight: 100 }];
  const lab = startLab({ upstreams, weights: { mode: "announced" }, ...options });
  const weight = () => lab.pool.get("a")?.effectiveWeight;
  return { lab, upstream, weight };
}

describe("a load that an upstream announces", () => {
  test.each([
    ["0", 100],
    ["0.25", 75],
    ["1", 5],
    ["1.000", 5],
    ["0.9999999", 5],
    [String(0.1 + 0.2), 70],
  ])("of %s leaves %d of a weight of 100, and is not for the client", async (load, left) => {
    const { lab, weight } = announcing(["X-Evenkeel-Load", load]);
    const { headers } = await lab.fetch();
    expect(weight()).toBeCloseTo(left, 3);
    expect([headers["x-evenkeel-load"], headers["x-other"]]).toEqual([undefined, "1"]);
  });

  test.each(["", "-0.5", "+0.5", "1.1", "2", ".5", "0.", "5e-1", "0x1", "50%", "0.5, 0.6", "NaN", "0.5;", "00.5"])(
    "of %j is not heeded, and goes no further all the same",
    async (load) => {
      const { lab, weight } = announcing(["X-Evenkeel-Load", load]);
      const { status, headers } = await lab.fetch();
      expect([status, weight(), headers["x-evenkeel-load"]]).toEqual([200, 100, undefined]);
    },
  );

  test("is not heeded when it is said twice", async () => {
    const { lab, weight } = announcing(["X-Evenkeel-Load", "0.5", "x-evenkeel-load", "0.5"]);
    const { headers } = await lab.fetch();
    expect([weight(), headers["x-evenkeel-load"]]).toEqual([100, undefined]);
  });

  test("is read from the header that is configured", async () => {
    const { lab, weight } = announcing(["X-Load", "0.5", "X-Evenkeel-Load", "1"], { weights: { header: "x-LOAD" } });
    const { headers } = await lab.fetch();
    expect([weight(), headers["x-load"], headers["x-evenkeel-load"]]).toEqual([50, undefined, "1"]);
  });

  test("is neither heeded nor passed on in early hints and trailers", async () => {
    const { url } = scriptedUpstream("a", (request) => {
      request.inform(103, ["X-Evenkeel-Load", "1", "Link", "</a>"]);
      request.begin(200);
      request.write("ok");
      request.end(["X-Evenkeel-Load", "1", "X-Other", "1"]);
    });
    const lab = startLab({ upstreams: [{ id: "a", url }], weights: { mode: "announced" } });
    const client = lab.begin("/", { headers: { TE: "trailers" } });
    const received = await client.ended();
    expect(received).toMatchObject({ status: 200, complete: true, trailers: ["X-Other", "1"] });
    expect(received.informational).toMatchObject([{ status: 103, headers: expect.arrayContaining(["Link", "</a>"]) }]);
    expect(JSON.stringify([received.informational, received.headers, received.trailers])).not.toMatch(/evenkeel-load/i);
    expect(lab.pool.get("a")?.effectiveWeight).toBe(1);
  });

  test("is an ordinary header to a pool without dynamic weights", async () => {
    const { lab, weight } = announcing(["X-Evenkeel-Load", "0.5"], { weights: undefined as never });
    const { headers } = await lab.fetch();
    expect([weight(), headers["x-evenkeel-load"]]).toEqual([100, "0.5"]);
  });

  test("counts on an answer that is given up for another attempt", async () => {
    const { lab, weight } = announcing(["X-Evenkeel-Load", "0.5"], { retry: { on: ["503"] } }, 503);
    lab.pool.add({ url: scriptedUpstream("spare").url, backup: true });
    const retried = new Promise((resolve) => lab.once("retry", resolve));
    const answer = lab.fetch();
    await retried;
    expect(weight()).toBe(50);
    await lab.clock.advanceAsync(1_000);
    expect((await answer).text).toBe("spare");
  });
});
