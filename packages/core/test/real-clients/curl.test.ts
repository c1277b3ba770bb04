import { describe, expect, test } from "vitest";
import { large, runProgram, serveClients, sha256 } from "../support/client-programs.ts";
import { until } from "../support/event-loop.ts";
import { hasProgram } from "../support/server-programs.ts";

const kinds = [
  ["--http1.0", "http", "HTTP/1.0"],
  ["--http1.1", "http", "HTTP/1.1"],
  // Offers an upgrade to h2c, which the server ignores (RFC 9113 section 3.1).
  ["--http2", "http", "HTTP/1.1"],
  ["--http2-prior-knowledge", "http", "HTTP/2.0"],
  ["--http1.1", "https", "HTTP/1.1"],
  ["--http2", "https", "HTTP/2.0"],
] as const;

describe.skipIf(!hasProgram("curl")).each(kinds)("curl %s over %s", (flag, scheme, protocol) => {
  const general = ["-sS", "-k", flag];
  /** With prior knowledge curl 7.88 fails at the second request of a connection, with any server. */
  const reuses = flag !== "--http2-prior-knowledge";

  const run = (args: readonly string[], input?: Buffer) => runProgram("curl", [...general, ...args], input);

  async function output(args: readonly string[], input?: Buffer): Promise<Buffer> {
    const { code, stdout, stderr } = await run(args, input);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return stdout;
  }

  async function start() {
    const { plain, secure } = await serveClients();
    return scheme === "https" ? secure : plain;
  }

  test("requests of every kind, over one connection", async () => {
    const { url, requests } = await start();
    const commands = [
      [`${url}/`],
      [`${url}/empty`],
      ["-X", "DELETE", `${url}/`],
      ["-d", "hello", `${url}/hash`],
      [`${url}/hints`],
      ["--head", "-o", "/dev/null", `${url}/`],
    ].map((args) => ["-w", "|%{http_code} %{num_connects}\n", ...args]);
    const joined = commands.flatMap((args, index) => (index === 0 ? args : ["--next", ...general, ...args]));
    const texts = await Promise.all((reuses ? [joined] : commands).map((args) => output(args)));
    const connects = protocol === "HTTP/1.0" || !reuses ? 1 : 0;
    expect(Buffer.concat(texts).toString().split("\n")).toEqual([
      `GET ${scheme}|200 1`,
      `|204 ${connects}`,
      `DELETE ${scheme}|200 ${connects}`,
      `${sha256(Buffer.from("hello"))}|200 ${connects}`,
      `with trailers|200 ${connects}`,
      `|200 ${connects}`,
      "",
    ]);
    await until(() => requests.length === 6);
    expect(requests.map((request) => [request.protocol, request.error])).toEqual(Array(6).fill([protocol, undefined]));
  });

  test("large bodies in both directions, of known and of unknown length", async () => {
    const { url } = await start();
    expect(sha256(await output([`${url}/large`]))).toBe(sha256(large));
    // curl sends Expect: 100-continue with a body of this length.
    expect(String(await output(["--data-binary", "@-", `${url}/hash`], large))).toBe(sha256(large));
    if (protocol === "HTTP/1.0") return;
    expect(String(await output(["-T", "-", "-X", "POST", `${url}/hash`], large))).toBe(sha256(large));
  });

  test("an interim response, and trailers", async () => {
    const { url } = await start();
    const text = String(await output(["-i", "-H", "TE: trailers", `${url}/hints`]));
    const [version, reason] = protocol === "HTTP/2.0" ? ["2", ""] : ["1\\.1", "(?:OK|Early Hints)"];
    expect(text).toMatch(new RegExp(`HTTP/${version} 200 ${reason}\r\n[^]*\r\n\r\nwith trailers`));
    if (protocol === "HTTP/1.0") return expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*with trailers$/);
    expect(text).toMatch(new RegExp(`^HTTP/${version} 103 ${reason}\r\nlink: </style\\.css>; rel=preload\r\n`, "i"));
    expect(text).toMatch(/with trailersx-sum: 12\r\n$/i);
  });

  test("many requests at a time", async () => {
    const { url, requests } = await start();
    const text = reuses
      ? await output(["-Z", "--no-progress-meter", "--parallel-max", "20", ...Array(40).fill(`${url}/`)])
      : Buffer.concat(await Promise.all(Array.from({ length: 5 }, () => output([`${url}/`]))));
    const count = reuses ? 40 : 5;
    expect(String(text)).toBe(`GET ${scheme}`.repeat(count));
    await until(() => requests.length === count);
    expect(requests.filter((request) => request.protocol === protocol && request.status === 200)).toHaveLength(count);
  });

  test("a response that breaks off is an error", async () => {
    const { url } = await start();
    const { code, stdout } = await run([`${url}/half`]);
    // A partial file; a connection that was reset; a stream that was not closed cleanly.
    expect(code).toBe({ "HTTP/1.0": 56, "HTTP/1.1": 18, "HTTP/2.0": 92 }[protocol]);
    // curl drops data that it has read together with the reset of its stream.
    expect(protocol === "HTTP/2.0" ? ["", "half"] : ["half"]).toContain(String(stdout));
  });
});
