import { describe, expect, test } from "vitest";
import { settle } from "../../src/runtime/virtual-clock.ts";
import { startLab } from "../support/forward-lab.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

describe("silence", () => {
  test("longer than the whole exchange may take is 504, whatever the attempts", async () => {
    const upstream = scriptedUpstream("silent", () => {});
    const lab = startLab({ upstreams: [upstream.url], timeouts: { total: "60ms" }, retry: { attempts: 0 } });
    const answer = lab.fetch();
    await lab.clock.advanceAsync(59);
    expect(lab.requests).toEqual([]);
    await lab.clock.advanceAsync(1);
    expect((await answer).status).toBe(504);
    expect((await lab.finished(1))[0]).toMatchObject({
      status: 504,
      error: "total_timeout",
      attempts: [{ error: "total_timeout" }],
    });
    expect(upstream.received[0]?.aborted).toBe(true);
  });

  test("of a slow body longer than the whole exchange may take cuts it off", async () => {
    const upstream = scriptedUpstream("slow", (request) => {
      request.begin(200);
      const writeOn = () => {
        request.write(".");
        if (!request.aborted) lab.clock.setTimeout(writeOn, 10);
      };
      writeOn();
    });
    const lab = startLab({ upstreams: [upstream.url], timeouts: { total: "100ms" } });
    const client = lab.begin();
    await lab.clock.advanceAsync(99);
    expect(client.received.body.toString()).toBe(".".repeat(10));
    await lab.clock.advanceAsync(1);
    expect(await client.ended()).toMatchObject({ status: 200, complete: false, closed: true });
    expect((await lab.finished(1))[0]).toMatchObject({ status: 200, error: "total_timeout", flags: ["truncated"] });
    expect(upstream.received[0]?.aborted).toBe(true);
  });

  test("of one attempt can be told apart from that of the upstream, and tried again", async () => {
    const slow = scriptedUpstream("slow", () => {});
    const quick = scriptedUpstream("quick");
    const upstreams = [{ url: slow.url }, { url: quick.url, backup: true }];
    const lab = startLab({ upstreams, retry: { on: ["timeout"], perTryTimeout: "60ms" } });
    const answer = lab.fetch();
    await settle();
    expect(slow.received[0]?.head.headersTimeoutMs).toBe(60);
    slow.received[0]?.fail("headers_timeout");
    await lab.clock.advanceAsync(1_000);
    expect((await answer).text).toBe("quick");
  });
});
