import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, readdirSync, readFileSync, renameSync, symlinkSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import path from "node:path";
import { expect, test } from "vitest";
import { until } from "../../../core/test/support/event-loop.ts";
import { limits } from "../../src/limits.ts";
import { makeFolder, serve, startCli, whenReady, writeFile } from "../support/cli.ts";
import { anyPort, nowhere, poolOf } from "../support/configs.ts";
import { RawClient, sendRequest, startUpstream } from "../support/http.ts";
import { startLoad } from "../support/load.ts";

const routes = '[[routes]]\npath = "/up"\npool = "app"\n[[routes]]\npath = "/down"\npool = "down"\n';
const down = `[pools.down]\nupstreams = ["${nowhere}"]\n`;

test("exactly one line for each request, however it ends", async () => {
  let gone: Promise<unknown> | undefined;
  const upstream = await startUpstream((req, res) => {
    if (req.url !== "/up/slow") return void req.resume().on("end", () => res.end("hello"));
    gone = once(res, "close");
    upstream.server.emit("slow");
  });
  const { url, port, stdout, kill, ended } = await serve(anyPort + routes + poolOf(upstream.url) + down);

  const ok = await sendRequest(url, {
    path: "/up?x=1",
    method: "POST",
    body: "12345",
    headers: {
      "user-agent": "test/1",
      referer: "http://u:p@example.com/",
      authorization: "Basic c2VjcmV0",
      cookie: "c=secret",
    },
  });
  expect(ok).toMatchObject({ status: 200, text: "hello" });
  expect((await sendRequest(url, { path: "/else" })).status).toBe(404);
  expect((await sendRequest(url, { path: "/down" })).status).toBe(502);

  const aborted = request(new URL("/up/slow", url)).on("error", () => {});
  aborted.end();
  await once(upstream.server, "slow");
  aborted.destroy();
  await gone;

  const malformed = await RawClient.open(port, "GET /up HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n");
  await malformed.closed;
  expect(malformed.received).toMatch(/^HTTP\/1\.1 400 [\s\S]*Proxy-Status: evenkeel; error=/);
  const connect = await RawClient.open(port, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n");
  await connect.closed;
  expect(connect.received).toMatch(/^HTTP\/1\.1 405 /);

  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(stdout.text).not.toMatch(/secret|c2VjcmV0|u:p/);
  expect(stdout.lines).toHaveLength(6);
  const [first, ...others] = stdout.records;
  expect(first).toMatchObject({
    requestId: expect.any(String),
    client: "127.0.0.1",
    method: "POST",
    host: new URL(url).host,
    url: "/up?x=1",
    protocol: "HTTP/1.1",
    status: 200,
    bytesIn: 5,
    bytesOut: 5,
    durationMs: expect.any(Number),
    pool: "app",
    upstream: "a",
    attempts: [{ upstream: "a", status: 200, headersMs: expect.any(Number) }],
    flags: [],
    userAgent: "test/1",
    referer: "http://***@example.com/",
  });
  expect(Math.abs(Date.parse(String(first?.["time"])) - Date.now())).toBeLessThan(60_000);
  expect(others.map(({ status, url, error }) => ({ status, url, error }))).toEqual([
    { status: 404, url: "/else", error: "no_route" },
    { status: 502, url: "/down", error: "connect_refused" },
    { status: 499, url: "/up/slow", error: "client_aborted" },
    { status: 400, url: "/up", error: "bad_request" },
    { status: 405, url: "example.com:443", error: "method_not_allowed" },
  ]);
});

test("a client cannot inject a line", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  for (const format of ["json", "combined"]) {
    const toml = `${anyPort}[accessLog]\nformat = "${format}"\n${poolOf(upstream.url)}`;
    const { port, stdout, kill, ended } = await serve(toml);
    // Node's parser rejects control characters in a target. In a header it accepts tabs and everything above 0x7f.
    const agent = 'x"y\\z\t\x9b31m\xe9 %0d%0aGET';
    const sent = `GET /"%0d%0a%1b[2J'\\ HTTP/1.1\r\nHost: a\r\nUser-Agent: ${agent}\r\nConnection: close\r\n\r\n`;
    await (await RawClient.open(port, sent)).closed;
    await (await RawClient.open(port, "GET /\x1b[31m HTTP/1.1\r\nHost: a\r\n\r\n")).closed;
    await (await RawClient.open(port, "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: \x1b[31m\r\n\r\n")).closed;
    kill("SIGTERM");
    await ended;
    expect(stdout.lines).toHaveLength(3);
    expect(stdout.text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
    if (format === "json") expect(stdout.records[0]).toMatchObject({ status: 200, userAgent: agent });
    else expect(stdout.lines[0]).toContain('"x\\x22y\\x5Cz\\x09\\x9B31m\\xE9 %0d%0aGET"');
  }
});

test("combined writes NCSA lines", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const { url, stdout } = await serve(`${anyPort}[accessLog]\nformat = "combined"\n${poolOf(upstream.url)}`);
  await sendRequest(url, { path: "/x?y", headers: { "user-agent": "test/1", authorization: "Basic Zm9vOmJhcg==" } });
  const line = await stdout.until(() => stdout.lines[0]);
  expect(line).toMatch(
    /^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/x\?y HTTP\/1\.1" 200 5 "-" "test\/1"$/,
  );
});

test("none writes nothing", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const { url, stdout, kill, ended } = await serve(`${anyPort}[accessLog]\nformat = "none"\n${poolOf(upstream.url)}`);
  await sendRequest(url);
  kill("SIGTERM");
  await ended;
  expect(stdout.text).toBe("");
});

test("SIGHUP reopens a renamed file under its old name, and every line is in one of the two files", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const log = path.join(makeFolder(), "access.log");
  const { url, kill, ended, stdout, stderr } = await serve(
    `${anyPort}[accessLog]\npath = "${log}"\n${poolOf(upstream.url)}`,
  );
  await sendRequest(url, { path: "/before" });
  const renamed = `${log}.1`;
  renameSync(log, renamed);
  await sendRequest(url, { path: "/between" });
  kill("SIGHUP");
  await stderr.record(({ accessLog }) => accessLog === log);
  await sendRequest(url, { path: "/after" });
  kill("SIGTERM");
  await ended;
  const urls = (file: string) => linesOf(file).map((line) => (JSON.parse(line) as { url: string }).url);
  expect(urls(renamed)).toEqual(["/before", "/between"]);
  expect(urls(log)).toEqual(["/after"]);
  expect(stdout.text).toBe("");
});

test("a line is in the file soon after its response, while the command goes on", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const log = path.join(makeFolder(), "access.log");
  const { url } = await serve(`${anyPort}[accessLog]\npath = "${log}"\n${poolOf(upstream.url)}`);
  for (let n = 1; n <= 3; n++) {
    await sendRequest(url);
    await until(() => linesOf(log).length === n);
  }
});

test("no line is lost, doubled or broken under load while the file is rotated, nor at the stop", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const folder = makeFolder();
  const log = path.join(folder, "access.log");
  const { url, kill, ended, stderr } = await serve(`${anyPort}[accessLog]\npath = "${log}"\n${poolOf(upstream.url)}`);
  let sent = 0;
  const headers = { "user-agent": "x".repeat(5_000) };
  const load = startLoad(8, () => sendRequest(url, { path: `/${sent++}`, headers }));
  for (let rotation = 1; rotation <= 5; rotation++) {
    const { responseCount } = load;
    await until(() => load.responseCount > responseCount + 30);
    renameSync(log, `${log}.${rotation}`);
    kill("SIGUSR1");
    await stderr.manyRecords(rotation, ({ accessLog }) => accessLog === log);
  }
  const { responses, errors } = await load.stop();
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(errors).toEqual([]);
  const files = readdirSync(folder).map((name) => linesOf(path.join(folder, name)).map(toNumber));
  expect(files).toHaveLength(6);
  expect(files.flat().toSorted((a, b) => a - b)).toEqual(responses.map((_, n) => n));
});

test("a kill loses at most the blocks that are not yet written", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const log = path.join(makeFolder(), "access.log");
  const { url, kill, ended } = await serve(`${anyPort}[accessLog]\npath = "${log}"\n${poolOf(upstream.url)}`);
  const headers = { "user-agent": "x".repeat(15_000) };
  const count = 100;
  for (let n = 0; n < count; n++) await sendRequest(url, { path: `/${n}`, headers });
  kill("SIGKILL");
  await ended;
  const logged = linesOf(log).map(toNumber);
  expect(logged).toEqual(logged.map((_, n) => n));
  // One block that is being filled, and one that may be in flight.
  expect((count - logged.length) * 15_000).toBeLessThan(2 * limits.logBlockBytes);
});

test("stdout may be a file", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const file = path.join(makeFolder(), "out.log");
  // Below every limit of open files, since the start logs a line otherwise.
  const config = writeFile("config.toml", `${anyPort}maxConnections = 50\n${poolOf(upstream.url)}`);
  const output = createWriteStream(file);
  await once(output, "open");
  const bin = path.join(import.meta.dirname, "../../bin/evenkeel.js");
  const child = spawn(process.execPath, [bin, config], { stdio: ["ignore", output, "pipe"] });
  const [ready] = (await once(child.stderr as IncomingMessage, "data")) as [Buffer];
  const { listen } = JSON.parse(ready.toString()) as { listen: string[] };
  for (let n = 0; n < 10; n++) await sendRequest(String(listen[0]), { path: `/${n}` });
  child.kill("SIGTERM");
  await once(child, "close");
  expect(linesOf(file)).toHaveLength(10);
});

test("/dev/stdout and links to it are stdout, also after the log is reopened", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const link = path.join(makeFolder(), "access.log");
  symlinkSync("/dev/stdout", link);
  for (const log of ["/dev/stdout", link, "/proc/self/fd/1"]) {
    const { url, kill, ended, stdout, stderr } = await serve(
      `${anyPort}[accessLog]\npath = "${log}"\n${poolOf(upstream.url)}`,
    );
    await sendRequest(url, { path: "/before" });
    kill("SIGHUP");
    await stderr.record(({ changes }) => changes !== undefined);
    await sendRequest(url, { path: "/after" });
    kill("SIGTERM");
    expect(await ended).toEqual({ code: 0, signal: null });
    expect(stdout.records.map((record) => record["url"])).toEqual(["/before", "/after"]);
    expect(stderr.records.filter(({ level }) => level !== "info")).toEqual([]);
  }
});

test("a FIFO that replaces the log file is rejected when the log is reopened, and the old file stays in use", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const log = path.join(makeFolder(), "access.log");
  const { url, kill, ended, stderr } = await serve(`${anyPort}[accessLog]\npath = "${log}"\n${poolOf(upstream.url)}`);
  renameSync(log, `${log}.1`);
  execFileSync("mkfifo", [log]);
  for (const [count, signal] of [
    [1, "SIGHUP"],
    [2, "SIGUSR1"],
  ] as const) {
    kill(signal);
    const errors = await stderr.manyRecords(count, ({ level }) => level === "error");
    expect(errors.at(-1)?.msg).toBe(
      `the access log ${log} cannot be opened: it is a pipe: set path = "stdout" and pipe the output of the command; the old access log stays in use`,
    );
    expect((await sendRequest(url)).status).toBe(200);
  }
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(linesOf(`${log}.1`)).toHaveLength(2);
});

test("a reader that closes its pipe ends the access log, not the proxy", async () => {
  const upstream = await startUpstream((_req, res) => res.end("hello"));
  const cli = startCli(["run", writeFile("config.toml", anyPort + poolOf(upstream.url))]);
  const { url, stderr, kill, ended } = await whenReady(cli);
  await sendRequest(url);
  await cli.stdout.until(() => cli.stdout.lines[0]);
  cli.child.stdout?.destroy();
  for (let n = 0; n < 20; n++) expect((await sendRequest(url)).text).toBe("hello");
  await stderr.record(({ msg }) => msg?.includes("the reader of the access log") === true);
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(stderr.records.filter(({ level }) => level !== "info")).toHaveLength(1);
});

test("a reader that stops reading delays neither requests nor the shutdown", async () => {
  const upstream = await startUpstream((_req, res) => res.end());
  const cli = startCli(["run", writeFile("config.toml", anyPort + poolOf(upstream.url))]);
  const { url, kill, ended } = await whenReady(cli);
  cli.child.stdout?.pause();
  const agent = "x".repeat(8_000);
  for (let n = 0; n < 50; n++) expect((await sendRequest(url, { headers: { "user-agent": agent } })).status).toBe(200);
  kill("SIGTERM");
  cli.child.stderr?.resume();
  const [code] = (await once(cli.child, "exit")) as [number];
  expect(code).toBe(0);
  cli.child.stdout?.resume();
  await ended;
});

/** The number that the path of a request is. */
function toNumber(line: string): number {
  return Number((JSON.parse(line) as { url: string }).url.slice(1));
}

function linesOf(file: string): string[] {
  return readFileSync(file, "utf8").split("\n").slice(0, -1);
}
