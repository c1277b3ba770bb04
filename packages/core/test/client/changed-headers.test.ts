import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerOptions } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { changedHeadersOf } from "../../src/client/node/incoming-request.ts";

/** A request of these header lines as Node's server makes it. */
async function received(lines: readonly string[], options: ServerOptions = {}): Promise<IncomingMessage> {
  const server = createServer(options);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  onTestFinished(() => {
    client.destroy();
    server.close();
    server.closeAllConnections();
  });
  client.write(Buffer.from(`GET / HTTP/1.1\r\n${["Host: h", ...lines].join("\r\n")}\r\n\r\n`, "latin1"));
  const [req] = (await once(server, "request")) as [IncomingMessage];
  return req;
}

/** The changes as `Name: value` lines by name. */
function changesOf(req: IncomingMessage, headers?: Record<string, unknown>): Record<string, string[]> | undefined {
  const changes = changedHeadersOf(req, headers);
  if (changes === undefined) return undefined;
  return Object.fromEntries(
    [...changes.lines].map(([name, lines]) => [name, lines.map(([text, value]) => `${text}: ${value}`)]),
  );
}

const repeatable = [
  ...["Age", "Authorization", "Content-Type", "ETag", "Expires", "From", "If-Modified-Since", "If-Unmodified-Since"],
  ...["Last-Modified", "Location", "Max-Forwards", "Proxy-Authorization", "Referer", "Retry-After", "Server"],
  ...["User-Agent", "Accept", "Accept-Encoding", "Cookie", "Set-Cookie", "Vary", "Via", "X-Forwarded-For", "X-A"],
  ...["Cache-Control", "Connection", "Origin", "If-Match", "Upgrade-Insecure-Requests", "Content-Disposition", "Date"],
  ...["constructor", "toString", "__proto__", "hasOwnProperty", "123", "0", "Range", "Sec-WebSocket-Protocol"],
];

describe("nothing has changed", () => {
  test.each<[string, string[]]>([
    ["a browser's headers", ["User-Agent: a", "accept: */*", "COOKIE: a=1", "x-Custom: 1", "Empty:"]],
    ["8-bit bytes", ["X-A: \x80\xff"]],
    ["names like those of an object's prototype", ["__proto__: 1", "constructor: 2", "toString: 3", "valueOf: 4"]],
    ["names that are numbers", ["2: a", "1: b"]],
  ])("with %s", async (_what, lines) => {
    expect(changesOf(await received(lines))).toBeUndefined();
  });

  test.each([false, true])(
    "with any header repeated, as Node joins it; all joined: %s",
    async (joinDuplicateHeaders) => {
      const lines = repeatable.flatMap((name) => [`${name}: 1`, `${name.toUpperCase()}: 2`, `${name}: 3`]);
      expect(changesOf(await received(lines, { joinDuplicateHeaders }))).toBeUndefined();
      for (const name of repeatable) {
        const req = await received([`${name}: 1`, `${name}: 2`], { joinDuplicateHeaders });
        expect(changesOf(req), name).toBeUndefined();
      }
    },
  );

  test("in framing and what is for one connection, whatever an app does to it", async () => {
    const req = await received([
      "Connection: keep-alive, X-A",
      "TE: trailers",
      "Content-Length: 0",
      "Expect: 100-continue",
    ]);
    for (const name of ["connection", "te", "content-length", "expect"]) delete req.headers[name];
    Object.assign(req.headers, {
      "transfer-encoding": "chunked",
      upgrade: "h2c",
      "keep-alive": "1",
      "sec-websocket-key": "x",
    });
    expect(changesOf(req)).toBeUndefined();
  });

  test("when the same is written again", async () => {
    const req = await received(["X-A: 1", "X-A: 2", "Authorization: a"]);
    req.headers["x-a"] = "1, 2";
    req.headers = { ...req.headers };
    expect(changesOf(req)).toBeUndefined();
  });
});

describe("an app", () => {
  test.each<[string, string[], (headers: Record<string, unknown>) => void, Record<string, string[]>]>([
    ["sets", [], (h) => void Object.assign(h, { "x-user": "7" }), { "x-user": ["x-user: 7"] }],
    ["sets in its own case", [], (h) => void Object.assign(h, { "X-User": "7" }), { "x-user": ["X-User: 7"] }],
    ["replaces", ["X-User: root"], (h) => void Object.assign(h, { "x-user": "7" }), { "x-user": ["X-User: 7"] }],
    [
      "replaces in another case",
      ["x-user: root"],
      (h) => void Object.assign(h, { "X-User": "7" }),
      { "x-user": ["X-User: 7"] },
    ],
    [
      "replaces several",
      ["X-User: a", "X-USER: b"],
      (h) => void Object.assign(h, { "x-user": "a" }),
      { "x-user": ["X-User: a"] },
    ],
    ["deletes", ["X-Admin: 1"], (h) => void delete h["x-admin"], { "x-admin": [] }],
    ["deletes several", ["X-Admin: 1", "X-Admin: 2"], (h) => void delete h["x-admin"], { "x-admin": [] }],
    [
      "deletes the last and sets another of that value",
      ["A: 1"],
      (h) => void (delete h["a"] && Object.assign(h, { b: "1" })),
      { a: [], b: ["b: 1"] },
    ],
    ["deletes by undefined", ["X-Admin: 1"], (h) => void Object.assign(h, { "x-admin": undefined }), { "x-admin": [] }],
    ["deletes by null", ["X-Admin: 1"], (h) => void Object.assign(h, { "x-admin": null }), { "x-admin": [] }],
    ["empties", ["X-Admin: 1"], (h) => void Object.assign(h, { "x-admin": "" }), { "x-admin": ["X-Admin: "] }],
    ["sets a number", [], (h) => void Object.assign(h, { "x-a": 0 }), { "x-a": ["x-a: 0"] }],
    ["sets a list", [], (h) => void Object.assign(h, { "x-a": ["1", 2, undefined] }), { "x-a": ["x-a: 1", "x-a: 2"] }],
    [
      "sets cookies",
      ["Cookie: a=1"],
      (h) => void Object.assign(h, { cookie: ["a=2", "b=1"] }),
      { cookie: ["Cookie: a=2; b=1"] },
    ],
    [
      "changes a list",
      ["Set-Cookie: a"],
      (h) => void (h["set-cookie"] as string[]).push("b"),
      { "set-cookie": ["Set-Cookie: a", "Set-Cookie: b"] },
    ],
    ["deletes a name of the prototype", ["constructor: 1"], (h) => void delete h["constructor"], { constructor: [] }],
    ["sets nothing by undefined", [], (h) => void Object.assign(h, { "x-a": undefined }), {}],
    ["deletes Host", [], (h) => void delete h["host"], { host: [] }],
  ])("%s", async (_what, lines, change, expected) => {
    const req = await received(lines);
    change(req.headers);
    expect(changesOf(req) ?? {}).toEqual(expected);
  });

  test("replaces the whole object", async () => {
    const req = await received(["X-A: 1", "X-B: 2"]);
    req.headers = { host: "h", "x-a": "1", "x-c": "3" };
    expect(changesOf(req)).toEqual({ "x-b": [], "x-c": ["x-c: 3"] });
  });

  test("has headers of its own in the framework's object", async () => {
    const req = await received(["X-A: 1"]);
    expect(changesOf(req, { ...req.headers, "x-a": "2" })).toEqual({ "x-a": ["X-A: 2"] });
  });
});

test("a line that CGI-like upstreams read as one that the app has decided on goes with it", async () => {
  const req = await received(["X-User: root", "X-Other: 1"]);
  req.headers["x-user"] = "7";
  const changes = changedHeadersOf(req);
  for (const name of ["x-user", "x_user", "x.user"]) expect(changes?.covers(name)).toBe(true);
  for (const name of ["x-other", "x_other", "xuser"]) expect(changes?.covers(name)).toBe(false);
});
