import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Http2Front, startHttp2Front } from "../support/http2-front.ts";
import { startUpstream, type TestUpstream } from "../support/start-upstream.ts";

/** A client of node:http2, gone when the test has ended. */
function connectTo({ port }: Http2Front): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  return session;
}

interface Answer {
  readonly headers: IncomingHttpHeaders & { readonly ":status"?: number };
  readonly informational: readonly (IncomingHttpHeaders & { readonly ":status"?: number })[];
  readonly body: string;
  readonly trailers: IncomingHttpHeaders;
}

function request(
  session: ClientHttp2Session,
  headers: Record<string, string | string[]>,
  body?: readonly (string | Buffer)[],
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: body === undefined });
    const informational: IncomingHttpHeaders[] = [];
    let answer: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    stream.on("headers", (one) => informational.push(one));
    stream.on("response", (one) => {
      answer = one;
    });
    stream.on("trailers", (one) => {
      trailers = one;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () =>
      resolve({ headers: answer, informational, body: Buffer.concat(chunks).toString("latin1"), trailers }),
    );
    for (const chunk of body ?? []) stream.write(chunk);
    if (body !== undefined) stream.end();
  });
}

async function lab(answer?: TestUpstream["answer"]) {
  const upstream = await startUpstream("a", answer);
  const front = await startHttp2Front({ upstreams: [upstream.url] });
  return { upstream, front, session: connectTo(front) };
}

describe("a request over HTTP/2", () => {
  test("reaches the upstream as one of HTTP/1.1, and its response comes back", async () => {
    const { upstream, front, session } = await lab((_req, res) => {
      res.writeHead(200, { Connection: "keep-alive, X-Hop", "X-Hop": "1", "X-Kept": "2", "Content-Length": "5" });
      res.end("hello");
    });
    const { headers, body } = await request(session, {
      ":path": "/a?b",
      "x-one": "1",
      te: "trailers",
      via: "1.1 before",
    });
    expect([headers[":status"], body]).toEqual([200, "hello"]);
    expect([headers["x-kept"], headers["x-hop"], headers["connection"], headers["keep-alive"]]).toEqual([
      "2",
      undefined,
      undefined,
      undefined,
    ]);
    const [received] = upstream.received;
    expect([received?.method, received?.url]).toEqual(["GET", "/a?b"]);
    expect(received?.headers).toMatchObject({
      host: `127.0.0.1:${front.port}`,
      "x-one": "1",
      te: "trailers",
      via: "1.1 before, 2.0 evenkeel",
      "x-forwarded-proto": "http",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-host": `127.0.0.1:${front.port}`,
    });
    await front.until(() => front.requests.length === 1);
    expect(front.requests[0]).toMatchObject({
      protocol: "HTTP/2.0",
      status: 200,
      method: "GET",
      url: "/a?b",
      bytesOut: 5,
    });
  });

  test("has its body with the announced length, or in chunks without one", async () => {
    const bodies: string[] = [];
    const { upstream, session } = await lab((req, res) => {
      let body = "";
      req.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      req.on("end", () => {
        bodies.push(body);
        res.end("ok");
      });
    });
    await request(session, { ":method": "POST", "content-length": "10" }, ["hello", "world"]);
    await request(session, { ":method": "POST" }, ["hello", "again"]);
    await request(session, { ":method": "POST", "content-length": "0" });
    expect(bodies).toEqual(["helloworld", "helloagain", ""]);
    const framing = upstream.received.map(({ headers }) => [headers["content-length"], headers["transfer-encoding"]]);
    expect(framing).toEqual([
      ["10", undefined],
      [undefined, "chunked"],
      ["0", undefined],
    ]);
  });

  test("has its cookies in one line", async () => {
    const { upstream, session } = await lab();
    await request(session, { cookie: ["a=1", "b=2"], "x-last": "1" });
    expect(upstream.received[0]?.headers.cookie).toBe("a=1; b=2");
    expect(upstream.received[0]?.rawHeaders.filter((name) => name.toLowerCase() === "cookie").length).toBe(1);
  });

  test("receives interim responses and trailers", async () => {
    const { session } = await lab((_req, res) => {
      res.writeEarlyHints({ link: "</a.css>; rel=preload" });
      res.writeHead(200, { Trailer: "X-Sum" });
      res.write("hello");
      res.addTrailers({ "X-Sum": "5" });
      res.end();
    });
    const { informational, headers, body, trailers } = await request(session, { te: "trailers" });
    expect(informational.map((one) => [one[":status"], one["link"]])).toEqual([[103, "</a.css>; rel=preload"]]);
    expect([headers[":status"], body, trailers["x-sum"], headers["trailer"]]).toEqual([200, "hello", "5", undefined]);
  });

  test("runs beside the others of its connection", async () => {
    const { upstream, front, session } = await lab((req, res) => {
      setImmediate(() => res.end(req.url?.repeat(1_000)));
    });
    const paths = Array.from({ length: 100 }, (_, index) => `/${index}`);
    const answers = await Promise.all(paths.map((path) => request(session, { ":path": path })));
    expect(answers.map(({ body }) => body)).toEqual(paths.map((path) => path.repeat(1_000)));
    expect([upstream.received.length, front.connections.length]).toEqual([100, 1]);
  });

  test("has a body of megabytes in both directions", async () => {
    const { session } = await lab((req, res) => void req.pipe(res));
    const chunk = Buffer.alloc(65_536, "x");
    const { body } = await request(session, { ":method": "PUT" }, Array<Buffer>(64).fill(chunk));
    expect(body.length).toBe(64 * chunk.length);
  });

  test("is refused with its status, and the connection goes on", async () => {
    const { front, session } = await lab();
    const trace = await request(session, { ":method": "TRACE" });
    expect([trace.headers[":status"], trace.headers["connection"]]).toEqual([405, undefined]);
    expect((await request(session, { ":path": "/" })).headers[":status"]).toBe(200);
    await front.until(() => front.requests.length === 2);
    expect(front.requests.map(({ error }) => error)).toEqual(["method_not_allowed", undefined]);
  });
});
