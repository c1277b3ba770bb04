import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { connect } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { makeFolder, serve, startCli, whenReady, writeFile } from "../support/cli.ts";
import { anyPort, nowhere, poolOf, withAdmin } from "../support/configs.ts";
import { keepAlive, sendRequest, startUpstream } from "../support/http.ts";
import { startLoad } from "../support/load.ts";

const quiet = '[accessLog]\nformat = "none"\n';

test("a hundred reloads under load lose no request", async () => {
  const upstreams = await Promise.all(["a", "b", "c"].map((name) => startUpstream((_req, res) => res.end(name))));
  const urls = upstreams.map((upstream) => upstream.url);
  const head = anyPort + quiet;
  const variants = [urls, urls.slice(0, 2), urls.slice(1)].map((some) => head + poolOf(...some));
  const { url, config, kill, stderr, ended } = await serve(String(variants[0]));
  const agent = keepAlive(8);
  const load = startLoad(8, () => sendRequest(url, { agent }));
  for (let n = 1; n <= 100; n++) {
    writeFileSync(config, String(variants[n % variants.length]));
    kill("SIGHUP");
    await stderr.manyRecords(n, ({ changes }) => changes !== undefined);
  }
  const { responses, errors } = await load.stop();
  expect(errors).toEqual([]);
  expect(responses.length).toBeGreaterThan(100);
  expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(responses.map(({ text }) => text))).toEqual(new Set(["a", "b", "c"]));
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
});

test("an invalid file changes nothing and is reported, and the next valid one is loaded", async () => {
  const [a, b] = await Promise.all(["a", "b"].map((name) => startUpstream((_req, res) => res.end(name))));
  const toml = anyPort + withAdmin + quiet;
  const { url, admin, config, kill, stderr } = await serve(toml + poolOf(String(a?.url)));
  const metric = async () =>
    /^evenkeel_config_last_reload_successful (\d)$/m.exec((await sendRequest(admin, { path: "/metrics" })).text)?.[1];
  const agent = keepAlive(4);
  const load = startLoad(4, () => sendRequest(url, { agent }));

  writeFileSync(config, `${toml}[pools.app]\nbalance = "chance"\nupstream = []\n`);
  kill("SIGHUP");
  const { msg } = await stderr.record(({ level }) => level === "error");
  const [balance, upstream] = [8, 9];
  expect(msg).toMatch(new RegExp(`config\\.toml:${balance}:\\d+`));
  expect(msg).toMatch(new RegExp(`config\\.toml:${upstream}:\\d+`));
  expect(await metric()).toBe("0");
  expect((await sendRequest(url)).text).toBe("a");

  writeFileSync(config, toml + poolOf(String(b?.url)));
  kill("SIGHUP");
  await stderr.record(({ changes }) => changes !== undefined);
  expect(await metric()).toBe("1");
  expect((await sendRequest(url)).text).toBe("b");
  const { responses, errors } = await load.stop();
  expect(errors).toEqual([]);
  expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
});

test("a missing file changes nothing", async () => {
  const a = await startUpstream((_req, res) => res.end("a"));
  const cwd = makeFolder();
  const config = path.join(cwd, "config.toml");
  writeFileSync(config, anyPort + poolOf(a.url));
  const { url, kill, stderr } = await whenReady(startCli([], { cwd }));
  rmSync(config);
  kill("SIGHUP");
  await stderr.record(({ level }) => level === "error");
  expect((await sendRequest(url)).text).toBe("a");
});

test("--watch reloads when the file changes", async () => {
  const [a, b] = await Promise.all(["a", "b"].map((name) => startUpstream((_req, res) => res.end(name))));
  const config = writeFile("config.toml", anyPort + poolOf(String(a?.url)));
  const { url, stderr } = await whenReady(startCli(["--watch", config]));
  expect((await sendRequest(url)).text).toBe("a");
  writeFileSync(config, anyPort + poolOf(String(b?.url)));
  await stderr.record(({ changes }) => changes !== undefined);
  expect((await sendRequest(url)).text).toBe("b");
});

test("a changed listen address is reported as needing a restart, every time", async () => {
  const a = await startUpstream((_req, res) => res.end("a"));
  const { url, config, kill, stderr } = await serve(anyPort + withAdmin + poolOf(a.url));
  writeFileSync(config, `[server]\nlisten = "127.0.0.1:1"\n[admin]\nlisten = "127.0.0.1:2"\n${poolOf(a.url)}`);
  for (const times of [1, 2]) {
    kill("SIGHUP");
    await stderr.manyRecords(2 * times, ({ level }) => level === "warn");
  }
  const warnings = stderr.records.filter(({ level }) => level === "warn").map(({ msg }) => msg?.split(" ")[0]);
  expect(warnings).toEqual(["server.listen", "admin.listen", "server.listen", "admin.listen"]);
  expect((await sendRequest(url)).text).toBe("a");
});

test("limits, the admin token and the access log change without a restart", async () => {
  const a = await startUpstream((_req, res) => res.end("a"));
  const log = path.join(makeFolder(), "access.log");
  const { url, admin, config, kill, stderr, stdout } = await serve(anyPort + withAdmin + poolOf(a.url));
  const status = async (token: string) =>
    (await sendRequest(admin, { path: "/api/pools", headers: { authorization: `Bearer ${token}` } })).status;
  writeFileSync(
    config,
    `${anyPort}maxConnections = 1\n${withAdmin}token = "new"\n[accessLog]\nformat = "combined"\n${poolOf(a.url)}`,
  );
  kill("SIGHUP");
  await stderr.record(({ changes }) => changes !== undefined);
  expect(await status("wrong")).toBe(401);
  expect(await status("new")).toBe(200);
  await sendRequest(url);
  expect(await stdout.until(() => stdout.lines.at(-1))).toMatch(/^127\.0\.0\.1 - - /);

  writeFileSync(config, `${anyPort}[accessLog]\npath = "${log}"\n${poolOf(a.url)}`);
  kill("SIGHUP");
  await stderr.record(({ accessLog }) => accessLog === log);
  await sendRequest(url, { path: "/to-the-file" });
  expect(stdout.text).not.toContain("/to-the-file");

  writeFileSync(config, `${anyPort}[accessLog]\npath = "no/such/folder.log"\n${poolOf(a.url)}`);
  kill("SIGHUP");
  expect(await stderr.record(({ level }) => level === "error")).toMatchObject({
    msg: expect.stringContaining("no/such"),
  });
  expect((await sendRequest(url)).text).toBe("a");
});

test("SIGHUP reloads the certificate, and keeps the old one if that fails", async () => {
  const certs = path.join(import.meta.dirname, "../support/certs");
  const folder = makeFolder();
  const [cert, key] = ["site.crt", "site.key"].map((name) => path.join(folder, name)) as [string, string];
  copyFileSync(path.join(certs, "localhost.crt"), cert);
  copyFileSync(path.join(certs, "localhost.key"), key);
  const { port, kill, stderr } = await serve(
    `${anyPort}[server.tls]\ncert = "${cert}"\nkey = "${key}"\n${poolOf(nowhere)}`,
  );
  const before = await fingerprint(port);

  writeFileSync(cert, "rubbish");
  kill("SIGHUP");
  await stderr.record(({ level }) => level === "error");
  expect(await fingerprint(port)).toBe(before);

  copyFileSync(path.join(certs, "renewed.crt"), cert);
  copyFileSync(path.join(certs, "renewed.key"), key);
  kill("SIGHUP");
  await stderr.record(({ changes }) => changes !== undefined);
  expect(await fingerprint(port)).not.toBe(before);
});

test("--watch uses a renewed certificate of the listener, without SIGHUP", async () => {
  const certs = path.join(import.meta.dirname, "../support/certs");
  const folder = makeFolder();
  for (const [version, name] of [
    ["v1", "localhost"],
    ["v2", "renewed"],
  ] as const) {
    mkdirSync(path.join(folder, version));
    copyFileSync(path.join(certs, `${name}.crt`), path.join(folder, version, "site.crt"));
    copyFileSync(path.join(certs, `${name}.key`), path.join(folder, version, "site.key"));
  }
  symlinkSync("v1", path.join(folder, "current"));
  const config = path.join(folder, "config.toml");
  const tls = '[server.tls]\ncert = "current/site.crt"\nkey = "current/site.key"\n';
  writeFileSync(config, anyPort + tls + poolOf(nowhere));
  const { port, stderr } = await whenReady(startCli(["run", "--watch", config]));
  const before = await fingerprint(port);
  // Like certbot and Kubernetes: a link is replaced, so that the key and the certificate change together.
  symlinkSync("v2", path.join(folder, "next"));
  renameSync(path.join(folder, "next"), path.join(folder, "current"));
  await stderr.record(({ changes }) => changes !== undefined);
  expect(await fingerprint(port)).not.toBe(before);
});

test("--watch uses a renewed certificate authority of upstreams", async () => {
  const certs = path.join(import.meta.dirname, "../support/certs");
  const [cert, key] = ["localhost.crt", "localhost.key"].map((name) => readFileSync(path.join(certs, name)));
  const upstream = createServer({ cert, key }, (_req, res) => res.end("hello")).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  onTestFinished(() => void upstream.close());
  const { port } = upstream.address() as AddressInfo;
  const folder = makeFolder();
  copyFileSync(path.join(certs, "renewed.crt"), path.join(folder, "ca.pem"));
  const config = path.join(folder, "config.toml");
  const tls = 'tls = { ca = "ca.pem", servername = "localhost" }\n';
  writeFileSync(config, anyPort + poolOf(`https://127.0.0.1:${port}`) + tls);
  const { url, stderr } = await whenReady(startCli(["run", "--watch", config]));
  expect((await sendRequest(url)).status).toBe(502);
  copyFileSync(path.join(certs, "localhost.crt"), path.join(folder, "next.pem"));
  renameSync(path.join(folder, "next.pem"), path.join(folder, "ca.pem"));
  await stderr.record(({ changes }) => changes !== undefined);
  expect(await sendRequest(url)).toMatchObject({ status: 200, text: "hello" });
});

test("a FIFO that replaces the configuration fails the reload, and requests are served", async () => {
  const a = await startUpstream((_req, res) => res.end("a"));
  const { url, config, kill, ended, stderr } = await serve(anyPort + poolOf(a.url));
  rmSync(config);
  execFileSync("mkfifo", [config]);
  kill("SIGHUP");
  expect(await stderr.record(({ level }) => level === "error")).toMatchObject({
    msg: expect.stringContaining("is a pipe, not a file"),
  });
  expect((await sendRequest(url)).text).toBe("a");
  kill("SIGTERM");
  expect(await ended).toEqual({ code: 0, signal: null });
});

async function fingerprint(port: number): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}
