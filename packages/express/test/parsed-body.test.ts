import http from "node:http";
import { deflateSync, gzipSync } from "node:zlib";
import express from "express";
import express4 from "express4";
import multer from "multer";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Asking, ask, askSeen, listen, sha256, startUpstream } from "../../core/test/support/adapter-lab.ts";
import { refusingUrl } from "../../core/test/support/refusing-port.ts";
import { evenkeel } from "../src/index.ts";

type Parser = express.RequestHandler;

/** One case: the parser, the request, and the bytes that must arrive. */
interface Case {
  readonly title: string;
  readonly parser: (app: typeof express) => Parser;
  readonly type?: string;
  readonly body: string | Buffer;
  readonly encoding?: string;
  readonly arrives: string | Buffer;
  /** Default: the sent bytes. */
  readonly arrivesAs?: string;
}

const form = "application/x-www-form-urlencoded";

const cases: readonly Case[] = [
  {
    title: "JSON",
    parser: ({ json }) => json(),
    type: "application/json",
    body: '{ "name": "Zoë", "list": [1, null, {}] }',
    arrives: '{"name":"Zoë","list":[1,null,{}]}',
  },
  {
    title: "JSON of a vendor's type",
    parser: ({ json }) => json({ type: "application/*+json" }),
    type: "application/vnd.api+json",
    body: '{"a":1}',
    arrives: '{"a":1}',
  },
  {
    title: "JSON that is null",
    parser: ({ json }) => json({ strict: false }),
    type: "application/json",
    body: " null ",
    arrives: "null",
  },
  ...['"hello"', '"a\\nb \\u00eb"', '"Zoë"', '"{\\"a"', "false", "1"].map((body) => ({
    title: `JSON that is ${body}`,
    parser: ({ json }: typeof express) => json({ strict: false }),
    type: "application/json; charset=utf-8",
    body,
    arrives: JSON.stringify(JSON.parse(body)),
  })),
  {
    title: "JSON in UTF-16",
    parser: ({ json }) => json(),
    type: 'application/json; charset="utf-16le"; v=1',
    body: Buffer.from('{"name":"Zoë"}', "utf16le"),
    arrives: '{"name":"Zoë"}',
    arrivesAs: "application/json; charset=utf-8; v=1",
  },
  {
    title: "JSON that was compressed",
    parser: ({ json }) => json(),
    type: "application/json",
    encoding: "gzip",
    body: gzipSync('{"a":1}'),
    arrives: '{"a":1}',
  },
  {
    title: "an empty object that was sent",
    parser: ({ json }) => json(),
    type: "application/json",
    body: "{}",
    arrives: "{}",
  },
  {
    title: "a flat form",
    parser: ({ urlencoded }) => urlencoded({ extended: false }),
    type: form,
    body: "name=Zo%C3%AB+K&a=1&a=2&empty=&sign=%26%3D",
    arrives: "name=Zo%C3%AB%20K&a=1&a=2&empty=&sign=%26%3D",
  },
  {
    title: "a nested form",
    parser: ({ urlencoded }) => urlencoded({ extended: true }),
    type: form,
    body: "user[name]=Z&user[roles]=a&user[roles]=b&one[]=1&rows[0][id]=1&rows[1][id]=2",
    arrives: [
      "user%5Bname%5D=Z&user%5Broles%5D=a&user%5Broles%5D=b",
      "one%5B0%5D=1",
      "rows%5B0%5D%5Bid%5D=1&rows%5B1%5D%5Bid%5D=2",
    ].join("&"),
  },
  {
    title: "text",
    parser: ({ text }) => text(),
    type: "text/plain",
    body: "Zoë\n",
    arrives: "Zoë\n",
  },
  {
    title: "text in Latin-1",
    parser: ({ text }) => text(),
    type: "text/plain; charset=iso-8859-1",
    body: Buffer.from("Zoë", "latin1"),
    arrives: "Zoë",
    arrivesAs: "text/plain; charset=utf-8",
  },
  {
    title: "JSON read as text",
    parser: ({ text }) => text({ type: "application/json" }),
    type: "application/json",
    body: '{ "a": 1 }',
    arrives: '{ "a": 1 }',
  },
  {
    title: "raw bytes",
    parser: ({ raw }) => raw(),
    type: "application/octet-stream",
    body: Buffer.from([0, 255, 13, 10, 128]),
    arrives: Buffer.from([0, 255, 13, 10, 128]),
  },
  {
    title: "raw bytes that were compressed",
    parser: ({ raw }) => raw(),
    type: "application/octet-stream",
    encoding: "deflate",
    body: deflateSync(Buffer.alloc(1000, 7)),
    arrives: Buffer.alloc(1000, 7),
  },
];

for (const [name, createApp] of [["Express 5", express] as const, ["Express 4", express4] as const]) {
  const serve = async (...parsers: readonly Parser[]) => {
    const app = createApp();
    for (const parser of parsers) app.use(parser);
    const api = evenkeel({ upstreams: [(await startUpstream()).url] });
    onTestFinished(() => api.close({ timeout: "0ms" }));
    app.use("/api", api);
    app.use((req, res) => void res.status(404).json(req.body ?? null));
    return listen(http.createServer(app));
  };
  const post = (asking: Asking): Asking => ({ method: "POST", path: "/api/", ...asking });

  describe(`${name}: bodies that a parser has read`, () => {
    test.each(cases)("$title", async ({ parser, type, body, encoding, arrives, arrivesAs }) => {
      const port = await serve(parser(createApp));
      const headers = { "content-type": type, ...(encoding !== undefined && { "content-encoding": encoding }) };
      for (const chunked of [false, true]) {
        const seen = await askSeen(port, post({ headers, body, chunked }));
        const expected = Buffer.from(arrives);
        expect([seen.bytes, seen.sha256]).toEqual([expected.length, sha256(expected)]);
        expect(seen.headers["content-length"]).toBe(`${expected.length}`);
        expect(seen.headers["content-type"]).toBe(arrivesAs ?? type);
        expect(seen.headers).not.toHaveProperty("content-encoding");
        expect(seen.headers).not.toHaveProperty("transfer-encoding");
      }
    });

    test.each([
      ['""', '""'],
      ['"1"', '"1"'],
      ['"{}"', '"{}"'],
    ])("the JSON string %s with a length arrives as %s", async (body, arrives) => {
      const port = await serve(createApp.json({ strict: false }));
      const seen = await askSeen(port, post({ headers: { "content-type": "application/json" }, body }));
      expect(seen).toMatchObject({ bytes: arrives.length, sha256: sha256(Buffer.from(arrives)) });
    });

    test.each(['"hello"', "1", "null"])("the JSON %s read as text, with a length, arrives as it is", async (body) => {
      const port = await serve(createApp.text({ type: "*/*" }));
      const seen = await askSeen(port, post({ headers: { "content-type": "application/json" }, body }));
      expect(seen).toMatchObject({ bytes: body.length, sha256: sha256(Buffer.from(body)) });
    });

    test.each(['""', '"1"', '"null"'])("the JSON string %s in chunks could be two things: 500", async (body) => {
      const port = await serve(createApp.json({ strict: false }));
      const headers = { "content-type": "application/json" };
      const response = await ask(port, post({ headers, body, chunked: true }));
      expect([response.status, response.body.toString()]).toEqual([500, expect.stringContaining("req.rawBody")]);
    });

    test.each([false, true])(
      "req.rawBody wins where there is one, compressed or not; in chunks: %s",
      async (chunked) => {
        const keep: Parser = (req, _res, next) => {
          const parse = createApp.json({
            strict: false,
            verify: (seen, _, bytes) => void Object.assign(seen, { rawBody: bytes }),
          });
          parse(req, _res, next);
        };
        const port = await serve(keep);
        const text = ' { "a" : "1" } ';
        for (const encoding of [undefined, "gzip"]) {
          const headers = { "content-type": "application/json", ...(encoding && { "content-encoding": encoding }) };
          const body = encoding === undefined ? text : gzipSync(text);
          const seen = await askSeen(port, post({ headers, body, chunked }));
          expect(seen).toMatchObject({ bytes: text.length, sha256: sha256(Buffer.from(text)) });
          expect(seen.headers).not.toHaveProperty("content-encoding");
        }
      },
    );

    test("a form whose bytes an app has kept is forwarded, multipart included", async () => {
      const port = await serve((req, _res, next) => {
        const chunks: Buffer[] = [];
        req.on("data", (chunk: Buffer) => chunks.push(chunk));
        req.on("end", () => {
          Object.assign(req, { rawBody: Buffer.concat(chunks), body: { field: "value" } });
          next();
        });
      });
      const headers = { "content-type": "multipart/form-data; boundary=x" };
      const seen = await askSeen(port, post({ headers, body: "--x--\r\n" }));
      expect(seen).toMatchObject({ bytes: 7, sha256: sha256(Buffer.from("--x--\r\n")), headers });
    });

    test("a request without a body stays one", async () => {
      const port = await serve(createApp.json(), createApp.urlencoded({ extended: true }));
      const seen = await askSeen(port, { path: "/api/", headers: { "content-type": "application/json" } });
      expect(seen).toMatchObject({ method: "GET", bytes: 0 });
      expect(seen.headers).not.toHaveProperty("content-length");
      const posted = await askSeen(port, post({ headers: { "content-type": "application/json" }, body: "" }));
      expect(posted).toMatchObject({ method: "POST", bytes: 0 });
    });

    test("a body that the parsers have ignored streams unchanged", async () => {
      const port = await serve(createApp.json(), createApp.urlencoded({ extended: true }));
      const body = gzipSync("some");
      const headers = { "content-type": "text/csv", "content-encoding": "gzip" };
      const seen = await askSeen(port, post({ headers, body }));
      expect(seen).toMatchObject({ sha256: sha256(body), headers });
    });

    test("bytes that were collected without decompression keep their content coding", async () => {
      const port = await serve((req, _res, next) => {
        const chunks: Buffer[] = [];
        req.on("data", (chunk: Buffer) => chunks.push(chunk));
        req.on("end", () => {
          req.body = Buffer.concat(chunks);
          next();
        });
      });
      const body = gzipSync("some");
      const headers = { "content-type": "text/csv", "content-encoding": "gzip" };
      expect(await askSeen(port, post({ headers, body }))).toMatchObject({ sha256: sha256(body), headers });
    });

    test("a body that cannot be restored is a 500 with the reason", async () => {
      const multipart: Parser = (req, _res, next) => {
        req.resume().on("end", () => {
          req.body = { field: "value" };
          next();
        });
      };
      const port = await serve(multipart);
      const headers = { "content-type": "multipart/form-data; boundary=x" };
      const { status, headers: responseHeaders, body } = await ask(port, post({ headers, body: "--x--" }));
      expect([status, responseHeaders["proxy-status"]]).toEqual([
        500,
        'evenkeel; error=proxy_internal_error; details="body_consumed"',
      ]);
      expect(body.toString()).toContain("multipart/form-data");
    });

    test("a form that multer has parsed is a 500 with its type and advice", async () => {
      const port = await serve(multer().any());
      const body = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n';
      const headers = { "content-type": "multipart/form-data; boundary=x" };
      for (const chunked of [false, true]) {
        const { status, body: said } = await ask(port, post({ headers, body, chunked }));
        expect([status, said.toString()]).toEqual([500, expect.stringMatching(/multipart\/form-data.*in front of it/)]);
      }
    });

    test("the parser rejects a body over its own limit", async () => {
      const port = await serve(createApp.json({ limit: 10 }));
      const headers = { "content-type": "application/json" };
      expect((await ask(port, post({ headers, body: '{"a":"too long"}' }))).status).toBe(413);
    });

    test("a body that a parser has read in part is a 500 too, and does not hang", async () => {
      const port = await serve((req, _res, next) => void req.once("data", () => next()));
      const { status, body } = await ask(port, post({ body: "x".repeat(1_000_000) }));
      expect([status, body.toString()]).toEqual([500, expect.stringContaining("body_consumed")]);
    });

    test("a body that was read and not kept is a 500 too", async () => {
      const port = await serve((req, _res, next) => void req.resume().on("end", () => next()));
      expect((await ask(port, post({ body: "some" }))).status).toBe(500);
    });

    test("a body of a request that no route matches is not touched", async () => {
      const app = createApp();
      app.use((req, _res, next) => void req.resume().on("end", () => next()));
      const { url } = await startUpstream();
      const api = evenkeel({ pools: { api: { upstreams: [url] } }, routes: [{ path: "/api", pool: "api" }] });
      onTestFinished(() => api.close());
      app.use(api);
      app.use((req, res) => void res.end(`${req.url} ${req.rawHeaders.includes("gzip")}`));
      const port = await listen(http.createServer(app));
      const headers = { "content-type": "multipart/form-data", "content-encoding": "gzip" };
      const { body } = await ask(port, { method: "POST", path: "/upload?x=1", headers, body: "some" });
      expect(body.toString()).toBe("/upload?x=1 true");
    });

    test("it can be retried at another upstream when the first is down", async () => {
      const app = createApp();
      const { url } = await startUpstream("b");
      const api = evenkeel({ upstreams: [await refusingUrl(), url], balance: "round-robin" });
      onTestFinished(() => api.close());
      app.use(createApp.json(), api);
      const port = await listen(http.createServer(app));
      const headers = { "content-type": "application/json" };
      for (let round = 0; round < 4; round++) {
        const seen = await askSeen(port, post({ headers, body: '{"a":1}' }));
        expect(seen).toMatchObject({ upstream: "b", sha256: sha256(Buffer.from('{"a":1}')) });
      }
    });
  });
}
