// Causes that come from sockets, handshakes, and what node:http makes of headers and of an app's own response.

import { once } from "node:events";
import http from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ExceptionEvent } from "../../src/events.ts";
import type { Hooks } from "../../src/forward/hooks.ts";
import { createProxy } from "../../src/index.ts";
import { fetchFrom } from "../support/client.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { connectSocket } from "../support/web-sockets.ts";

const bug = new Error("my own bug");

const throws = (): never => {
  throw bug;
};

/** A proxy over one upstream, with what it reports of exceptions. */
async function lab(runtime: Hooks) {
  const upstream = await startUpstream("a");
  const { proxy, url, finished } = await startProxy({ upstreams: [upstream.url] }, { runtime });
  const exceptions: ExceptionEvent[] = [];
  proxy.on("exception", (event) => exceptions.push(event));
  return { url, finished, exceptions };
}

describe("an exception is reported, and is the cause of its request's error", () => {
  test("of onRequest, for a handshake", async () => {
    const { url, finished, exceptions } = await lab({ onRequest: throws });
    await expect(connectSocket(url)).rejects.toThrow("500");
    expect((await finished(1))[0]?.cause).toBe(bug);
    expect(exceptions.map(({ error }) => error)).toEqual([bug]);
  });
});

test("the cause of a transport failure is in the event, and in no event of a request that went well", async () => {
  const upstream = await startUpstream("a");
  const dead = await refusingUrl();
  const { url, finished } = await startProxy({ balance: "first", upstreams: [dead, upstream.url] });
  expect((await fetchFrom(url)).text).toBe("a");
  expect((await finished(1))[0]).not.toHaveProperty("cause");
  const alone = await startProxy({ upstreams: [dead] });
  expect((await fetchFrom(alone.url)).status).toBe(502);
  const [event] = await alone.finished(1);
  expect(event?.cause).toBeInstanceOf(Error);
  expect(String(event?.cause)).toContain("ECONNREFUSED");
});

test("an answer's own headers: framing is left out, what the proxy would add is replaced, several values are several lines", async () => {
  const { url } = await lab({
    onRequest: ({ respond }) =>
      respond({
        status: 200,
        headers: {
          ...{
            "Content-Length": "99",
            "transfer-encoding": "chunked",
            Connection: "x",
            "Keep-Alive": "timeout=9",
            Upgrade: "h2c",
          },
          ...{ "x-request-id": "mine", VIA: "1.1 mine", "Set-Cookie": ["a=1", "b=2"] },
        },
        body: "ok",
      }),
  });
  const { rawHeaders, text } = await fetchFrom(url, { headers: { Connection: "close" } });
  expect(text).toBe("ok");
  const lines = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : []));
  expect(lines.filter((line) => !line.startsWith("Date"))).toEqual([
    ...["x-request-id: mine", "VIA: 1.1 mine", "Set-Cookie: a=1", "Set-Cookie: b=2", "Content-Length: 2"],
    "Connection: close",
  ]);
});

test("an app that has begun a response of its own keeps it, whatever becomes of the request", async () => {
  const proxy = createProxy(
    { upstreams: [await refusingUrl()] },
    { onError: ({ respond }) => respond({ status: 500 }) },
  );
  const done = new Promise<void>((resolve) => void proxy.on("request", () => resolve()));
  const server = http.createServer((req, res) => {
    proxy.handler(req, res);
    res.writeHead(200).write("mine, ");
    void new Promise((resolve) => void proxy.on("attempt", resolve)).then(() => res.end("to the end"));
  });
  onTestFinished(async () => {
    server.close();
    await proxy.close({ timeout: "0ms" });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  expect(await fetchFrom(`http://127.0.0.1:${port}/`)).toMatchObject({ status: 200, text: "mine, to the end" });
  await done;
});
