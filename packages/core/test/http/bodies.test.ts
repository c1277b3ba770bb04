import { createHash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { answerOf, begin, fetchFrom, rawClient, responseTo } from "../support/client.ts";
import { refusingUrl } from "../support/refusing-port.ts";
import { startProxy } from "../support/start-proxy.ts";
import { bodyOf, startRawUpstream, startUpstream } from "../support/start-upstream.ts";

/** An upstream that answers with the digest of what it was sent, and how that was framed. */
async function digesting(name: string) {
  return await startUpstream(name, (req, res) => {
    void bodyOf(req).then((body) => {
      const { "content-length": length = "none", "transfer-encoding": coding = "none" } = req.headers;
      res.end([digest(body), length, coding].join(" "));
    });
  });
}

function digest(body: Buffer | string): string {
  return createHash("sha256").update(body).digest("hex");
}

describe("a POST whose first upstreams refuse the connection", () => {
  test.each([10, 70_000, 1_048_576])("arrives whole: %s bytes", async (size) => {
    const upstream = await digesting("a");
    const upstreams = [{ url: await refusingUrl() }, { url: await refusingUrl() }, { url: upstream.url, backup: true }];
    const { url, finished } = await startProxy({ upstreams });
    const body = randomBytes(size);
    const { status, text } = await fetchFrom(url, { method: "POST", body });
    expect([status, text]).toEqual([200, `${digest(body)} ${size} none`]);
    const [event] = await finished(1);
    expect(event).toMatchObject({ bytesIn: size, flags: ["retried"] });
    expect(event?.attempts).toHaveLength(3);
  });

  test("arrives whole in chunks", async () => {
    const upstream = await digesting("a");
    const { url } = await startProxy({
      upstreams: [{ url: await refusingUrl() }, { url: upstream.url, backup: true }],
    });
    const request = begin(url, { method: "POST" });
    const pieces = Array.from({ length: 50 }, () => randomBytes(3_000));
    for (const piece of pieces) request.write(piece);
    request.end();
    const { text } = await answerOf(await responseTo(request));
    expect(text).toBe(`${digest(Buffer.concat(pieces))} none chunked`);
  });
});

describe("framing", () => {
  test.each(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])(
    "of a %s is that of what is sent, with a length, in chunks, and without a body",
    async (method) => {
      const framings: unknown[] = [];
      const upstream = await startUpstream("a", (req, res) => {
        void bodyOf(req).then((body) => {
          framings.push([req.headers["content-length"], req.headers["transfer-encoding"], body.toString()]);
          res.end();
        });
      });
      const { url } = await startProxy({ upstreams: [upstream.url] });
      await fetchFrom(url, { method, body: "hello" });
      await fetchFrom(url, { method, body: "hello", headers: { "Transfer-Encoding": "chunked" } });
      await fetchFrom(url, { method });
      const empty = ["POST", "PUT", "PATCH"].includes(method) ? "0" : undefined;
      expect(framings).toEqual([
        ["5", undefined, "hello"],
        [undefined, "chunked", "hello"],
        [empty, undefined, ""],
      ]);
    },
  );

  test("chunk extensions go no further, and the body is intact", async () => {
    const upstream = await digesting("a");
    const { port } = await startProxy({ upstreams: [upstream.url] });
    const head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    const client = await rawClient(port, `${head}5;a=b\r\nhello\r\n6 ;c="d"\r\n world\r\n0;last\r\n\r\n`);
    const { text } = await client.over();
    if (text.startsWith("HTTP/1.1 400")) return expect(upstream.received).toHaveLength(0);
    expect(text).toContain(`${digest("hello world")} none chunked`);
  });
});

describe("a POST that an upstream has seen", () => {
  test.each(["", "x".repeat(100_000)])("is not sent to another one, even if nothing came back", async (body) => {
    const bad = await startRawUpstream((socket) => void socket.on("data", () => {}).resetAndDestroy());
    const good = await startUpstream("good");
    const upstreams = [{ url: bad.url }, { url: good.url, backup: true }];
    const { url, finished } = await startProxy({ upstreams, retry: { attempts: 5, budget: 1 } });
    const { status, headers } = await fetchFrom(url, { method: "POST", body });
    expect(status).toBe(502);
    expect(headers["proxy-status"]).toContain('details="reset"');
    expect(good.received).toHaveLength(0);
    expect((await finished(1))[0]?.attempts).toHaveLength(1);
  });

  test("is sent again when the options name the method, and arrives whole", async () => {
    const bad = await startRawUpstream((socket) => socket.resetAndDestroy());
    const good = await digesting("good");
    const upstreams = [{ url: bad.url }, { url: good.url, backup: true }];
    const { url } = await startProxy({ upstreams, retry: { methods: ["POST"] } });
    const body = randomBytes(40_000);
    expect((await fetchFrom(url, { method: "POST", body })).text).toBe(`${digest(body)} 40000 none`);
  });
});

describe("a PUT that fails halfway", () => {
  test.each([60_000, 65_536])("is sent again from its start while it fits the buffer: %s bytes", async (size) => {
    let seen = 0;
    const bad = await startRawUpstream((socket, _head, rest) => {
      seen += rest.length;
      socket.on("data", (chunk) => {
        seen += chunk.length;
        if (seen >= size) socket.resetAndDestroy();
      });
      if (seen >= size) socket.resetAndDestroy();
    });
    const good = await digesting("good");
    const { url } = await startProxy({ upstreams: [{ url: bad.url }, { url: good.url, backup: true }] });
    const body = randomBytes(size);
    expect((await fetchFrom(url, { method: "PUT", body })).text).toBe(`${digest(body)} ${size} none`);
  });

  test("is 502 when it does not fit, and the other upstream hears nothing of it", async () => {
    const bad = await startRawUpstream((socket) => void socket.once("data", () => socket.resetAndDestroy()));
    const good = await digesting("good");
    const { url } = await startProxy({ upstreams: [{ url: bad.url }, { url: good.url, backup: true }] });
    expect((await fetchFrom(url, { method: "PUT", body: randomBytes(200_000) })).status).toBe(502);
    expect(good.received).toHaveLength(0);
  });

  test("in chunks is sent again as far as it has come, and then goes on", async () => {
    const bad = await startRawUpstream((socket, _head, rest) => {
      if (rest.length > 0) socket.resetAndDestroy();
      else socket.once("data", () => socket.resetAndDestroy());
    });
    const good = await digesting("good");
    const { url, proxy } = await startProxy({ upstreams: [{ url: bad.url }, { url: good.url, backup: true }] });
    const retried = new Promise((resolve) => {
      proxy.once("retry", resolve);
    });
    const request = begin(url, { method: "PUT", headers: { "Transfer-Encoding": "chunked" } });
    request.flushHeaders();
    const pieces = ["first ", "second ", "third"];
    request.write(pieces[0]);
    await retried;
    request.write(pieces[1]);
    request.end(pieces[2]);
    expect((await answerOf(await responseTo(request))).text).toBe(`${digest(pieces.join(""))} none chunked`);
  });
});

describe("a PUT that is answered with a status to retry on", () => {
  test.each(["before", "after"])("is sent again whole, %s its end has come", async (when) => {
    const bad = await startRawUpstream((socket, _head, rest) => {
      const refuse = () => void socket.write("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
      const onData = (data: Buffer) => {
        if (when === "before" || data.includes("third")) refuse();
      };
      socket.on("data", onData);
      if (rest.length > 0) onData(rest);
    });
    const good = await digesting("good");
    const upstreams = [{ url: bad.url }, { url: good.url, backup: true }];
    const { url, proxy } = await startProxy({ upstreams, retry: { on: ["503"] } });
    const retried = new Promise((resolve) => {
      proxy.once("retry", resolve);
    });
    const request = begin(url, { method: "PUT", headers: { "Transfer-Encoding": "chunked" } });
    request.flushHeaders();
    request.write("first ");
    if (when === "before") await retried;
    request.write("second ");
    request.end("third");
    expect((await answerOf(await responseTo(request))).text).toBe(`${digest("first second third")} none chunked`);
  });
});

describe("a body over the limit", () => {
  async function limited() {
    const upstream = await startUpstream("a", (req, res) => void req.resume().on("end", () => res.end("done")));
    const routes = [{ pool: "p", maxBodySize: "1kb" }];
    const started = await startProxy({ pools: { p: { upstreams: [upstream.url] } }, routes });
    return { ...started, upstream };
  }

  test("is 413 by its length, before anybody is asked", async () => {
    const { url, upstream, finished } = await limited();
    const { status, headers } = await fetchFrom(url, { method: "POST", body: "x".repeat(1_025) });
    expect(status).toBe(413);
    expect(headers.connection).toBe("close");
    expect(upstream.received).toHaveLength(0);
    expect((await finished(1))[0]).toMatchObject({ status: 413, error: "body_too_large", attempts: [] });
  });

  test("is 413 by its count, and the connection is over", async () => {
    const { port, finished } = await limited();
    const head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    const client = await rawClient(port, head);
    for (let sent = 0; sent <= 1_024; sent += 256) client.socket.write(`100\r\n${"x".repeat(256)}\r\n`);
    const { text } = await client.over();
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(text).toMatch(/^Connection: close\r$/im);
    expect((await finished(1))[0]).toMatchObject({ status: 413, error: "body_too_large" });
  });

  test("of any size is answered in a way that the client gets to see", async () => {
    const { url } = await limited();
    for (const headers of [{}, { "Transfer-Encoding": "chunked" }]) {
      const { status } = await fetchFrom(url, { method: "POST", body: Buffer.alloc(3_000_000), headers });
      expect(status).toBe(413);
    }
  });

  test("is passed on up to the limit itself", async () => {
    const { url } = await limited();
    expect((await fetchFrom(url, { method: "POST", body: "x".repeat(1_024) })).text).toBe("done");
    const headers = { "Transfer-Encoding": "chunked" };
    expect((await fetchFrom(url, { method: "POST", body: "x".repeat(1_024), headers })).text).toBe("done");
  });
});

describe("an answer before the body has been read", () => {
  test("is passed on, with the end of the connection", async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    });
    const { port, finished } = await startProxy({ upstreams: [upstream.url] });
    const client = await rawClient(port, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nsome");
    const { text } = await client.over();
    expect(text).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(text).toMatch(/\r\n\r\nno$/);
    expect(text).toMatch(/^Connection: close\r$/im);
    expect((await finished(1))[0]).toMatchObject({ status: 403, flags: ["early"] });
  });
});
