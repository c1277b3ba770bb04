import { once } from "node:events";
import http from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import type { ExceptionEvent } from "../../src/events.ts";
import type { Hooks } from "../../src/forward/hooks.ts";
import { createProxy, type ProxyError, type ProxyOptions } from "../../src/index.ts";
import { fetchFrom } from "../support/client.ts";
import { until } from "../support/event-loop.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { startProxy } from "../support/start-proxy.ts";
import { startUpstream } from "../support/start-upstream.ts";
import { connectSocket } from "../support/web-sockets.ts";

const bug = new Error("my own bug");

const throws = (): never => {
  throw bug;
};

/** A proxy over one upstream, with what it reports of exceptions. */
async function lab(runtime: Hooks, more: Partial<ProxyOptions> = {}) {
  const upstream = await startUpstream("a");
  const { proxy, url, finished } = await startProxy({ upstreams: [upstream.url], ...more } as ProxyOptions, {
    runtime,
  });
  const exceptions: ExceptionEvent[] = [];
  proxy.on("exception", (event) => exceptions.push(event));
  return { upstream, proxy, url, finished, exceptions };
}

describe("an exception is reported, and is the cause of its request's error", () => {
  test.each<[string, Hooks]>([
    ["throws", { onRequest: throws }],
    ["rejects", { onRequest: () => Promise.reject(bug) }],
  ])("of onRequest that %s", async (_how, hooks) => {
    const { url, finished, exceptions } = await lab(hooks);
    const { status, text } = await fetchFrom(url);
    expect([status, text]).toEqual([500, expect.not.stringContaining("bug")]);
    const [event] = await finished(1);
    expect(event).toMatchObject({ error: "request_hook_failed" });
    expect(event?.cause).toBe(bug);
    expect(exceptions).toEqual([{ where: "onRequest", requestId: event?.requestId, pool: "default", error: bug }]);
  });

  test("of onRequest, for a handshake", async () => {
    const { url, finished, exceptions } = await lab({ onRequest: throws });
    await expect(connectSocket(url)).rejects.toThrow("500");
    expect((await finished(1))[0]?.cause).toBe(bug);
    expect(exceptions.map(({ error }) => error)).toEqual([bug]);
  });

  test("of onResponse", async () => {
    const { url, finished, exceptions } = await lab({ onResponse: throws });
    expect((await fetchFrom(url)).status).toBe(502);
    expect((await finished(1))[0]?.cause).toBe(bug);
    expect(exceptions).toMatchObject([{ where: "onResponse", error: bug }]);
  });

  test("of a policy", async () => {
    const { url, finished, exceptions } = await lab({}, { balance: { name: "mine", pick: throws } });
    expect((await fetchFrom(url)).status).toBe(500);
    expect((await finished(1))[0]).toMatchObject({
      error: "policy_failed",
      cause: { code: "policy_failed", cause: bug },
    });
    expect(exceptions).toMatchObject([{ where: "policy", error: { cause: bug } }]);
  });

  test("of onError, which changes nothing for the request", async () => {
    const { url, finished, exceptions } = await lab({ onRequest: throws, onError: throws });
    expect((await fetchFrom(url)).headers["proxy-status"]).toContain("request_hook_failed");
    expect((await finished(1))[0]?.cause).toBe(bug);
    expect(exceptions.map(({ where }) => where)).toEqual(["onRequest", "onError"]);
  });

  test("of hooks that are async although nothing waits for them", async () => {
    const hooks = { onResponse: async () => throws(), onError: async () => throws() };
    const { url, exceptions } = await lab(hooks);
    expect((await fetchFrom(url)).text).toBe("a");
    await until(() => exceptions.length === 1);
    const down = await lab(hooks, { upstreams: undefined, pools: { none: {} } });
    expect((await fetchFrom(down.url)).status).toBe(503);
    await until(() => down.exceptions.length === 1);
  });

  test("and is given to whatever answers in the proxy's place", async () => {
    const { url: upstream } = await startUpstream("a");
    const seen: unknown[] = [];
    const proxy = createProxy(
      { upstreams: [upstream] },
      { onRequest: throws, onError: ({ cause }) => void seen.push(cause) },
    );
    const errors: ProxyError[] = [];
    const server = http.createServer((req, res) => {
      const answer = (error: ProxyError) => {
        errors.push(error);
        res.writeHead(500).end();
      };
      proxy.forward(req, res, req.url === "/app" ? { onError: answer } : {});
    });
    onTestFinished(async () => {
      server.close();
      await proxy.close({ timeout: "0ms" });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as { port: number };
    await fetchFrom(`http://127.0.0.1:${port}/app`);
    await fetchFrom(`http://127.0.0.1:${port}/hook`);
    expect(errors.map(({ code, cause }) => [code, cause])).toEqual([["request_hook_failed", bug]]);
    expect(seen).toEqual([bug]);
  });
});

test("the cause says what was wrong with what a hook has set", async () => {
  const changes: readonly NonNullable<Hooks["onRequest"]>[] = [
    (context) => {
      context.pool = "defualt";
    },
    ({ headers }) => headers.set("Connection", "close"),
    (context) => {
      context.path = "x";
    },
    ({ respond }) => respond({ status: 42 }),
    ({ respond }) => respond({ status: 200, body: { ok: true } } as never),
    ({ respond }) => respond({ status: 200, headers: { "X\r\n": "1" } }),
    ({ respond }) => respond(undefined as never),
  ];
  let change = changes[0] as NonNullable<Hooks["onRequest"]>;
  const { url, upstream, finished } = await lab({
    onRequest: async (context) => {
      await Promise.resolve();
      return change(context);
    },
  });
  for (change of changes) expect((await fetchFrom(url)).status).toBe(500);
  const causes = (await finished(changes.length)).map(({ cause }) => (cause as Error).message);
  expect(causes).toEqual([
    'there is no pool "defualt", did you mean "default"?',
    expect.stringMatching(/^the header "Connection" cannot be set: it frames/),
    'the path "x" is no path with a slash in front, without spaces, "#" and control characters',
    "the status of a response is a number from 200 to 599, found 42",
    'the body of a response is a string or bytes, found {"ok":true}',
    'the header name "X\\r\\n" has characters that no header name has',
    expect.any(String),
  ]);
  expect(upstream.received).toEqual([]);
});

test("a value that onRequest returns means nothing", async () => {
  const { url } = await lab({ onRequest: (() => 1) as never });
  expect((await fetchFrom(url)).text).toBe("a");
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

test("while nothing listens the process warns, with the stack, once in a while for each place", async () => {
  const warnings: (Error & { detail?: string })[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on("warning", onWarning);
  onTestFinished(() => void process.off("warning", onWarning));
  const { url } = await startProxy({ pools: { none: {} } }, { runtime: { onRequest: throws, onError: throws } });
  for (let request = 0; request < 3; request++) expect((await fetchFrom(url)).status).toBe(500);
  await until(() => warnings.length >= 2);
  expect(warnings.map(({ name, message }) => `${name}: ${message}`)).toEqual([
    "EvenkeelWarning: onRequest failed: my own bug",
    "EvenkeelWarning: onError failed: my own bug",
  ]);
  expect(warnings[0]?.detail).toContain("exceptions.test.ts");
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
