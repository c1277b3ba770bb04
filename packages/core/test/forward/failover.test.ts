import { describe, expect, test } from "vitest";
import { underLoad } from "../support/client.ts";
import { startLab } from "../support/forward-lab.ts";
import { refusingUpstream, scriptedUpstream } from "../support/scripted-upstream.ts";

/** Longer than every pause before the retries of one request. */
const allPausesMs = 10_000;

describe("with every upstream down", () => {
  test.each([1, 3])("%s refused: 502 at once, with Proxy-Status, after trying each once", async (count) => {
    const urls = Array.from({ length: count }, () => refusingUpstream().url);
    const lab = startLab({ upstreams: urls });
    // On virtual time a response comes at once or never.
    const { status, headers, text } = await lab.fetch();
    expect(status).toBe(502);
    expect(headers["proxy-status"]).toBe('evenkeel; error=connection_refused; details="connect_refused"');
    expect(headers["via"]).toBe("1.1 evenkeel");
    for (const address of urls) expect(text + JSON.stringify(headers)).not.toContain(new URL(address).hostname);
    const [event] = await lab.finished(1);
    expect(event).toMatchObject({ status: 502, error: "connect_refused" });
    expect(event?.attempts.map(({ error }) => error)).toEqual(Array(count).fill("connect_refused"));
    expect(event?.requestId).toBe(headers["x-request-id"]);
    expect(new Set(event?.attempts.map(({ upstream }) => upstream)).size).toBe(count);
  });

  test("a hundred requests in a row and at once all get their answer", async () => {
    const lab = startLab({ upstreams: [refusingUpstream().url, refusingUpstream().url] });
    const answers = await underLoad(100, 50, () => lab.fetch());
    expect(answers.map(({ status }) => status)).toEqual(Array(100).fill(502));
  });

  test.each(["POST", "PATCH", "PUT", "DELETE", "HEAD"])("a %s gets the same", async (method) => {
    const lab = startLab({ upstreams: [refusingUpstream().url] });
    const { status, text } = await lab.fetch("/", { method, body: method === "HEAD" ? undefined : "x" });
    expect(status).toBe(502);
    expect(text === "").toBe(method === "HEAD");
  });

  test("unhealthy ones are tried all the same, unless panic is off", async () => {
    const a = scriptedUpstream("a");
    const lab = startLab({ upstreams: [{ id: "a", url: a.url }] });
    const [member] = lab.pool.upstreams;
    if (member === undefined) throw new Error("one member");
    lab.pool.setHealth(member, "unhealthy", "status 503");
    expect((await lab.fetch()).status).toBe(200);
    expect((await lab.finished(1))[0]?.flags).toEqual(["panic"]);

    const strict = startLab({ panic: "fail", upstreams: [{ id: "a", url: a.url }] });
    strict.pool.setState("a", "disabled");
    const { status, headers } = await strict.fetch();
    expect(status).toBe(503);
    expect(headers["proxy-status"]).toContain('details="none_available"');
    expect(headers["retry-after"]).toMatch(/^\d+$/);
    expect(a.received).toHaveLength(1);
  });

  test("an empty pool is 503", async () => {
    const lab = startLab({ pools: { none: {} } });
    const { status, headers } = await lab.fetch();
    expect([status, headers["proxy-status"]]).toEqual([
      503,
      'evenkeel; error=destination_unavailable; details="none_available"',
    ]);
  });
});

describe("moving on", () => {
  test("from a refused connection costs neither an attempt nor budget, and is told", async () => {
    const b = scriptedUpstream("b");
    const upstreams = [
      { id: "down1", url: refusingUpstream().url },
      { id: "down2", url: refusingUpstream().url },
      { id: "b", url: b.url, backup: true },
    ];
    const retry = { attempts: 0, budget: 0, minRetriesPerSecond: 0 };
    const lab = startLab({ upstreams, balance: "round-robin", retry });
    const retries: string[] = [];
    lab.on("retry", ({ upstream, reason }) => retries.push(`${upstream} ${reason}`));
    expect((await lab.fetch("/", { method: "POST", body: "once" })).text).toBe("b");
    expect(b.received[0]?.body).toBe("once");
    expect(retries).toEqual(["down1 connect_refused", "down2 connect_refused"]);
    const [event] = await lab.finished(1);
    expect(event).toMatchObject({ status: 200, upstream: "b", error: undefined, flags: ["retried"] });
    expect(event?.attempts.map(({ upstream, error, status }) => [upstream, error ?? status])).toEqual([
      ["down1", "connect_refused"],
      ["down2", "connect_refused"],
      ["b", 200],
    ]);
    expect(lab.pool.snapshot().retries).toEqual({ connect_refused: 2 });
  });

  test("stops after the attempts that are allowed", async () => {
    const bad = Array.from({ length: 4 }, () => scriptedUpstream("bad", (request) => request.fail("reset")));
    const lab = startLab({ upstreams: bad.map((each) => each.url), retry: { attempts: 2 } });
    const answer = lab.fetch();
    await lab.clock.advanceAsync(allPausesMs);
    const { status, headers } = await answer;
    expect([status, headers["proxy-status"]]).toEqual([502, 'evenkeel; error=connection_terminated; details="reset"']);
    expect((await lab.finished(1))[0]?.attempts).toHaveLength(3);
    expect(bad.map((each) => each.received.length).reduce((sum, count) => sum + count)).toBe(3);
  });

  test("when every one answers with such a status, the last answer is passed on", async () => {
    const upstreams = ["a", "b"].map((name) =>
      scriptedUpstream(name, (request) => request.respond(503, ["X-From", name], "full")),
    );
    const lab = startLab({ upstreams: upstreams.map((each) => each.url), retry: { on: ["503"], attempts: 5 } });
    const answer = lab.fetch();
    await lab.clock.advanceAsync(allPausesMs);
    const { status, text, headers } = await answer;
    expect([status, text, headers["proxy-status"]]).toEqual([503, "full", undefined]);
    // One attempt and five retries: each upstream once, then those that failed.
    expect(upstreams[0]?.received.length).toBeGreaterThan(0);
    expect(upstreams[1]?.received.length).toBeGreaterThan(0);
    expect(upstreams.reduce((sum, { received }) => sum + received.length, 0)).toBe(6);
  });
});
