import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { fetchFrom, rawClient } from "../support/client.ts";
import { startProxy } from "../support/start-proxy.ts";
import { bodyOf, startUpstream } from "../support/start-upstream.ts";

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

describe("a body over the limit", () => {
  test("of any size is answered in a way that the client gets to see", async () => {
    const upstream = await startUpstream("a", (req, res) => void req.resume().on("end", () => res.end("done")));
    const routes = [{ pool: "p", maxBodySize: "1kb" }];
    const { url } = await startProxy({ pools: { p: { upstreams: [upstream.url] } }, routes });
    for (const headers of [{}, { "Transfer-Encoding": "chunked" }]) {
      const { status } = await fetchFrom(url, { method: "POST", body: Buffer.alloc(3_000_000), headers });
      expect(status).toBe(413);
    }
  });
});
