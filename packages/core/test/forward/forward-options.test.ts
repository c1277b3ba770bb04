import { describe, expect, test } from "vitest";
import type { ExceptionEvent } from "../../src/events.ts";
import { settle } from "../../src/runtime/virtual-clock.ts";
import { startLab } from "../support/forward-lab.ts";
import { refusingUpstream, scriptedUpstream } from "../support/scripted-upstream.ts";

describe("onError", () => {
  test("is not asked about what no route matches, nor about what is no request to forward", async () => {
    const lab = startLab({
      pools: { api: { upstreams: [refusingUpstream().url] } },
      routes: [{ pool: "api", path: "/api" }],
    });
    const asked: string[] = [];
    const options = { onError: ({ code }: { code: string }) => void asked.push(code) };
    expect((await lab.fetch("/other", { options })).status).toBe(404);
    expect((await lab.fetch("/api", { method: "TRACE", options })).status).toBe(405);
    expect(asked).toEqual([]);
    lab.begin("/api", { options });
    await settle();
    expect(asked).toEqual(["connect_refused"]);
  });

  test("that throws leaves the answer to the proxy", async () => {
    const lab = startLab({ upstreams: [refusingUpstream().url] });
    const exceptions: ExceptionEvent[] = [];
    lab.on("exception", (event) => exceptions.push(event));
    const error = new Error("not my day");
    const onError = () => {
      throw error;
    };
    const { status, headers } = await lab.fetch("/", { options: { onError } });
    expect([status, headers["proxy-status"]]).toEqual([502, expect.stringContaining("connect_refused")]);
    expect(exceptions).toMatchObject([{ where: "passErrors", error }]);
  });

  test("an answer that breaks off is cut off, and nobody is asked", async () => {
    const upstream = scriptedUpstream("a", (request) => {
      request.begin(200, [], 100);
      request.write("some");
    });
    const lab = startLab({ upstreams: [upstream.url] });
    const asked: string[] = [];
    const client = lab.begin("/", { options: { onError: ({ code }) => void asked.push(code) } });
    await settle();
    expect(client.received.body.toString()).toBe("some");
    upstream.received[0]?.fail("reset");
    expect(await client.ended()).toMatchObject({ status: 200, complete: false, closed: true });
    expect(asked).toEqual([]);
  });
});
