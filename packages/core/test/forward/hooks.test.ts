import { describe, expect, test } from "vitest";
import type { ResponseContext } from "../../src/forward/hooks.ts";
import { startLab } from "../support/forward-lab.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";

describe("onRequest", () => {
  test("changes headers, path and pool, also when it takes its time", async () => {
    const a = scriptedUpstream("a");
    const b = scriptedUpstream("b", (request) => request.whenEnded(() => request.respond(200, [], request.body)));
    const lab = startLab(
      { pools: { a: { upstreams: [a.url] }, b: { upstreams: [b.url] } }, routes: [{ pool: "a" }] },
      {
        onRequest: async (context) => {
          await Promise.resolve();
          expect(context).toMatchObject({ method: "POST", pool: "a", path: "/x?y=1", client: "127.0.0.1" });
          context.headers.delete("x-secret");
          context.headers.set("X-User", "7");
          context.path = "/changed?z";
          context.pool = "b";
        },
      },
    );
    const answer = await lab.fetch("/x?y=1", { method: "POST", body: "body", headers: { "X-Secret": "1" } });
    expect(answer).toMatchObject({ status: 200, text: "body" });
    expect(a.received).toHaveLength(0);
    expect(b.received[0]).toMatchObject({ method: "POST", url: "/changed?z" });
    expect(b.received[0]?.headers).toMatchObject({ "x-user": "7" });
    expect(b.received[0]?.headers).not.toHaveProperty("x-secret");
  });

  test("answers in the upstream's place, and is told once", async () => {
    const upstream = scriptedUpstream("a");
    const lab = startLab(
      { upstreams: [upstream.url] },
      { onRequest: ({ respond }) => respond({ status: 401, headers: { "WWW-Authenticate": "Bearer" }, body: "no" }) },
    );
    const answer = await lab.fetch();
    expect(answer).toMatchObject({ status: 401, text: "no" });
    expect(answer.headers).toMatchObject({ "www-authenticate": "Bearer", "content-length": "2" });
    expect((await lab.finished(1))[0]).toMatchObject({ status: 401, error: undefined, attempts: [] });
    expect(lab.requests).toHaveLength(1);
    expect(upstream.received).toHaveLength(0);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("hook");
      },
    ],
    ["rejects", () => Promise.reject(new Error("hook"))],
    [
      "names a pool that does not exist",
      (context: { pool: string }) => {
        context.pool = "no";
      },
    ],
    [
      "sets a path that could split the message",
      (context: { path: string }) => {
        context.path = "/x\r\nEvil: 1";
      },
    ],
    [
      "sets a header that could split the message",
      (context: { headers: { set(name: string, value: string): void } }) => context.headers.set("X", "1\r\nEvil: 1"),
    ],
    [
      "answers with a status out of range",
      (context: { respond(answer: { status: number }): void }) => context.respond({ status: 42 }),
    ],
  ])("that %s is 500, and nothing is sent", async (_, onRequest) => {
    const upstream = scriptedUpstream("a");
    const lab = startLab({ upstreams: [upstream.url] }, { onRequest });
    lab.on("exception", () => {});
    expect((await lab.fetch()).status).toBe(500);
    expect((await lab.finished(1))[0]).toMatchObject({ status: 500 });
    expect(upstream.received).toHaveLength(0);
  });
});

describe("onResponse", () => {
  test("changes headers, but not the framing", async () => {
    const upstream = scriptedUpstream("a");
    const lab = startLab(
      { upstreams: [upstream.url] },
      {
        onResponse: ({ headers, status }) => {
          headers.set("X-Seen", `${status}`);
          headers.delete("Content-Length");
          // What it has read and sets again is no change.
          for (const [name, value] of headers) headers.set(name, value);
        },
      },
    );
    const answer = await lab.fetch();
    expect(answer).toMatchObject({ status: 200, text: "a" });
    expect(answer.headers).toMatchObject({ "x-seen": "200", "content-length": "1" });
  });

  test.each<[string, (context: ResponseContext) => void]>([
    [
      "throws",
      () => {
        throw new Error("hook");
      },
    ],
    ["sets a value that could split the message", ({ headers }) => headers.set("X", "1\r\nEvil: 1")],
    ["sets a name that could split the message", ({ headers }) => headers.append("X: 1\r\nEvil", "1")],
    ["sets another length", ({ headers }) => headers.set("Content-Length", "1000")],
    ["sets a transfer coding", ({ headers }) => headers.set("Transfer-Encoding", "gzip")],
    ["sets what belongs to the connection", ({ headers }) => headers.set("Keep-Alive", "timeout=900")],
  ])("that %s is 502", async (_name, onResponse) => {
    const upstream = scriptedUpstream("a");
    const lab = startLab({ upstreams: [upstream.url] }, { onResponse });
    lab.on("exception", () => {});
    expect((await lab.fetch()).status).toBe(502);
    expect((await lab.finished(1))[0]).toMatchObject({ status: 502, error: "response_hook_failed" });
    expect(upstream.received[0]?.aborted).toBe(true);
  });
});

describe("onError", () => {
  test("says it in other words, and a throw leaves ours", async () => {
    let broken = false;
    const lab = startLab(
      { pools: { none: {} } },
      {
        onError: ({ code, respond }) => {
          if (broken) throw new Error("hook");
          respond({ status: 418, body: code });
        },
      },
    );
    lab.on("exception", () => {});
    expect(await lab.fetch()).toMatchObject({ status: 418, text: "none_available" });
    broken = true;
    expect((await lab.fetch()).status).toBe(503);
    expect((await lab.finished(2)).map(({ status, error }) => [status, error])).toEqual([
      [418, "none_available"],
      [503, "none_available"],
    ]);
  });
});
