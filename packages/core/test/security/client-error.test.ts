import { once } from "node:events";
import type { RequestListener } from "node:http";
import { describe, expect, test } from "vitest";
import type { ProxySurroundings } from "../../src/proxy-surroundings.ts";
import { onePool } from "../support/raw-case.ts";
import { StrictClient, saysClose } from "../support/raw-client.ts";
import { type RecordingUpstream, recordingUpstream, type Script } from "../support/recording-upstream.ts";
import { startProxy, type TestProxy } from "../support/start-proxy.ts";
import { type StrictResponse, valuesOf } from "../support/strict-http.ts";

const patienceMs = 5_000;
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`;
const badChunk = "POST /case HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n";

interface Lab extends TestProxy {
  readonly upstream: RecordingUpstream;
  /** Sends this, and resolves with what comes back until the connection ends. */
  converse(bytes: string): Promise<readonly StrictResponse[]>;
}

async function serve(
  script: Script = {},
  {
    hooks = {},
    listener,
  }: { hooks?: ProxySurroundings; listener?: (forward: RequestListener) => RequestListener } = {},
): Promise<Lab> {
  const upstream = await recordingUpstream(script);
  const served = await startProxy(onePool(upstream.url), { runtime: hooks, ...(listener && { listener }) });
  served.server.on("clientError", served.proxy.clientError);
  const converse = async (bytes: string) => {
    const client = await StrictClient.to(served.port);
    client.socket.write(bytes, "latin1");
    expect(await client.when(() => client.how !== undefined, patienceMs), client.text).toBe(true);
    const { responses, violation, partial } = client.read([]);
    client.socket.destroy();
    expect([client.how, violation, partial]).toEqual(["end", undefined, ""]);
    return responses;
  };
  return { ...served, upstream, converse };
}

function statuses(responses: readonly StrictResponse[]): readonly (number | string)[] {
  return responses.map(({ status, complete }) => (complete ? status : `${status} in part`));
}

const noRequests = [
  ["no HTTP at all", "\x16\x03\x01\x02\r\n\r\n", 400, "bad_request"],
  ["an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 400, "bad_request"],
  ["a folded header", "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", 400, "bad_request"],
  ["two lengths", "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "bad_request"],
  ["a long header", `GET / HTTP/1.1\r\nHost: h\r\nX: ${"x".repeat(17_000)}\r\n\r\n`, 431, "headers_too_large"],
  ["a long name", `GET / HTTP/1.1\r\nHost: h\r\n${"x".repeat(17_000)}: 1\r\n\r\n`, 431, "headers_too_large"],
  ["a long target", get(`/${"x".repeat(17_000)}`), 414, "uri_too_long"],
  ["a long target that does not end", `GET /${"x".repeat(17_000)}`, 414, "uri_too_long"],
] as const;

describe("what is no request gets the proxy's own answer", () => {
  test.each(noRequests)("%s", async (_what, bytes, status, code) => {
    const { converse, requests, proxy, upstream } = await serve();
    const [answer, ...more] = await converse(bytes);
    expect(more).toEqual([]);
    expect(answer).toMatchObject({ status, complete: true });
    const { fields, body } = answer as StrictResponse;
    expect(saysClose({ fields })).toBe(true);
    expect(valuesOf(fields, "proxy-status")).toEqual([`evenkeel; error=http_request_error; details="${code}"`]);
    expect(valuesOf(fields, "via")).toEqual(["1.1 evenkeel"]);
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ status, error: code, method: "", url: "", protocol: "", client: "127.0.0.1" });
    expect(valuesOf(fields, "x-request-id")).toEqual([requests[0]?.requestId]);
    expect(requests[0]?.bytesOut).toBe(body.length);
    expect(proxy.snapshot().requests).toEqual([{ route: "", pool: "", method: "other", code: status, count: 1 }]);
    expect(upstream.sockets.size).toBe(0);
  });

  test("a long target in packets, where its end tells", async () => {
    const { port } = await serve();
    const client = await StrictClient.to(port);
    client.socket.write(`GET /${"x".repeat(10_000)}`);
    await new Promise((resolve) => client.socket.write("", resolve));
    client.socket.write(`${"x".repeat(10_000)} HTTP/1.1\r\nHost: h\r\n\r\n`);
    await client.when(() => client.how !== undefined, patienceMs);
    expect(statuses(client.read([]).responses)).toEqual([414]);
    client.socket.destroy();
  });

  test("onError may say it otherwise", async () => {
    const hooks: ProxySurroundings = { onError: ({ code, respond }) => respond({ status: 422, body: code }) };
    const { converse, requests } = await serve({}, { hooks });
    const [answer] = await converse("nonsense\r\n\r\n");
    expect([answer?.status, answer?.body.toString()]).toEqual([422, "bad_request"]);
    expect(requests).toMatchObject([{ status: 422, error: "bad_request" }]);
  });

  test("more of it than anybody reads does not take the answer away", async () => {
    const { converse } = await serve();
    expect(statuses(await converse(`nonsense\r\n\r\n${"x".repeat(2_000_000)}`))).toEqual([400]);
  });
});

describe("slow heads", () => {
  test("are 408; connections that were never used are closed, and are nobody's requests", async () => {
    const { port, server, requests, converse } = await serve();
    server.headersTimeout = 50;
    // Node looks at its connections every 30 seconds, which only an option at its birth could change.
    const timedOut = (socket: unknown) =>
      server.emit("clientError", Object.assign(new Error(), { code: "ERR_HTTP_REQUEST_TIMEOUT" }), socket);
    const begun = once(server, "connection");
    const answered = converse("GET / HTTP/1.1\r\nHo");
    const [socket] = await begun;
    await expect.poll(() => (socket as { bytesRead: number }).bytesRead).toBeGreaterThan(0);
    timedOut(socket);
    expect(statuses(await answered)).toEqual([408]);
    const opened = once(server, "connection");
    const unused = await StrictClient.to(port);
    timedOut((await opened)[0]);
    await unused.when(() => unused.how !== undefined, patienceMs);
    expect(unused.text).toBe("");
    expect(requests).toMatchObject([{ status: 408, error: "request_timeout" }]);
  });
});

describe("behind whole requests", () => {
  test("their answers go out first, then its own", async () => {
    const waiting: (() => void)[] = [];
    const slow: Script = {
      onRequest: (socket, { target }) => {
        waiting.push(() => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`));
        if (waiting.length === 3) for (const answer of waiting.reverse()) answer();
      },
    };
    const { converse, requests } = await serve(slow);
    const responses = await converse(`${get("/1")}${get("/2")}${get("/3")}nonsense\r\n\r\n${"x".repeat(100_000)}`);
    expect(statuses(responses)).toEqual([200, 200, 200, 400]);
    expect(responses.slice(0, 3).map(({ body }) => body.toString())).toEqual(["/1", "/2", "/3"]);
    expect(requests.map(({ status }) => status).sort()).toEqual([200, 200, 200, 400]);
  });

  test("an answer that ends its connection is the last", async () => {
    const { converse, requests } = await serve();
    const bytes = `GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nnonsense\r\n\r\n`;
    expect(statuses(await converse(bytes))).toEqual([200]);
    expect(requests.map(({ status }) => status)).toEqual([200]);
  });

  test("an app's own answer is not torn apart", async () => {
    const listener = (): RequestListener => (_req, res) => {
      res.write("half, ");
      setImmediate(() => res.end("whole"));
    };
    const { converse, requests } = await serve({}, { listener });
    const responses = await converse(`${get("/")}nonsense\r\n\r\n`);
    expect(statuses(responses)).toEqual([200, 400]);
    expect(responses[0]?.body.toString()).toBe("half, whole");
    expect(requests.map(({ status }) => status)).toEqual([400]);
  });
});

describe("within a body", () => {
  test("it is the answer of that request", async () => {
    const { converse, requests, upstream } = await serve();
    expect(statuses(await converse(badChunk))).toEqual([400]);
    expect(requests).toMatchObject([{ status: 400, error: "bad_request", method: "POST", url: "/case" }]);
    expect(upstream.requests).toEqual([]);
  });

  test("behind a request that is still being answered, both get theirs", async () => {
    const { converse, requests } = await serve();
    expect(statuses(await converse(get("/first") + badChunk))).toEqual([200, 400]);
    expect(requests.map(({ url, status }) => [url, status])).toEqual(
      expect.arrayContaining([
        ["/first", 200],
        ["/case", 400],
      ]),
    );
    expect(requests).toHaveLength(2);
  });

  test("while a hook thinks", async () => {
    let goOn = () => {};
    const hooks: ProxySurroundings = { onRequest: () => new Promise<void>((resolve) => (goOn = resolve)) };
    const { converse, requests, server, upstream } = await serve({}, { hooks });
    server.on("clientError", () => goOn());
    expect(statuses(await converse(badChunk))).toEqual([400]);
    expect(requests).toMatchObject([{ status: 400, url: "/case" }]);
    expect(upstream.sockets.size).toBe(0);
  });

  test("an app that still reads it sees its client leave", async () => {
    const seen: string[] = [];
    const listener = (): RequestListener => (req, res) => {
      req.on("error", () => {}).resume();
      res.on("close", () => seen.push(`closed, finished: ${res.writableFinished}`));
    };
    const { converse, requests } = await serve({}, { listener });
    expect(statuses(await converse(badChunk))).toEqual([400]);
    await expect.poll(() => seen).toEqual(["closed, finished: false"]);
    expect(requests.map(({ status }) => status)).toEqual([400]);
  });
});

test("without the listener node closes the connection, and nothing gets further", async () => {
  const { server, proxy, converse, requests, upstream, port } = await serve();
  server.off("clientError", proxy.clientError);
  for (const [, bytes] of noRequests) {
    const client = await StrictClient.to(port);
    client.socket.write(bytes, "latin1");
    expect(await client.when(() => client.how !== undefined, patienceMs)).toBe(true);
    expect(client.text).not.toMatch(/^HTTP\/1\.1 [123]/);
    client.socket.destroy();
  }
  expect(requests).toEqual([]);
  expect(upstream.sockets.size).toBe(0);
  const bytes = "GET /victim HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  expect(statuses(await converse(bytes))).toEqual([200]);
});
