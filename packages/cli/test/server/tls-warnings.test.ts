import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { connect as connectTls } from "node:tls";
import { loadConfig } from "@evenkeel/config";
import { createProxy } from "evenkeel";
import { createServer } from "evenkeel/server";
import { pino } from "pino";
import { afterEach, expect, test, vi } from "vitest";
import { ConfigurationWarnings } from "../../src/primary/configuration-warnings.ts";
import { runCli, serve, writeFile } from "../support/cli.ts";
import { anyPort, nowhere, poolOf, withAdmin } from "../support/configs.ts";
import { RawClient, sendRequest, startUpstream } from "../support/http.ts";

const certs = path.join(import.meta.dirname, "../support/certs");
const tls = (name: string) => `[server.tls]\ncert = "${certs}/${name}.crt"\nkey = "${certs}/${name}.key"\n`;
const unverified = `${poolOf("https://127.0.0.1:1")}[pools.app.tls]\nverify = false\n`;
const expired = `server.tls: the certificate ${certs}/expired.crt expired at 2024-01-01 00:00 UTC`;
const notVerified = 'pool "app": tls.verify = false: certificates of its upstreams are not verified';

afterEach(() => {
  vi.useRealTimers();
});

test("check warns about an expired certificate and about verify = false, and accepts the file", async () => {
  const { code, stdout, stderr } = await runCli([
    "check",
    writeFile("config.toml", `${anyPort}${tls("expired")}${unverified}`),
  ]);
  expect(code).toBe(0);
  expect(stdout).toContain("is valid.");
  expect(stderr).toContain(`evenkeel: warning: ${expired}\n`);
  expect(stderr).toContain(`evenkeel: warning: ${notVerified}`);
});

test("check warns about verify = false in the defaults, for the pools that do not set it", async () => {
  const pools = `[pools.a]\nupstreams = []\n[pools.b]\nupstreams = []\ntls = { verify = true }\n[[routes]]\npool = "a"\n`;
  const file = writeFile("config.toml", `${pools}[defaults.tls]\nverify = false\n`);
  const { stderr } = await runCli(["check", file]);
  expect(stderr.match(/warning: pool "\w+"/g)).toEqual(['warning: pool "a"']);
});

test("check warns about an expired client certificate", async () => {
  const client = `[pools.app.tls]\ncert = "${certs}/expired.crt"\nkey = "${certs}/expired.key"\n`;
  const { stderr } = await runCli(["check", writeFile("config.toml", anyPort + poolOf(nowhere) + client)]);
  expect(stderr).toContain('pool "app": tls.cert: the client certificate expired at 2024-01-01 00:00 UTC');
});

test("the start and every reload warn, and a metric has the expiry", async () => {
  const { config, stderr, kill, admin } = await serve(`${anyPort}${tls("expired")}${withAdmin}${unverified}`);
  await stderr.record(({ msg }) => msg === expired);
  await stderr.record(({ msg = "" }) => msg.startsWith(notVerified));
  const metric = async () =>
    (await sendRequest(admin, { path: "/metrics" })).text.match(/_expiry_timestamp_seconds (\d.*)/)?.[1];
  expect(Number(await metric())).toBe(Date.UTC(2024, 0, 1) / 1_000);

  kill("SIGHUP");
  const warnings = () => stderr.records.filter(({ level }) => level === "warn").map(({ msg }) => msg);
  await stderr.until(() => (warnings().length >= 4 ? true : undefined));
  expect(warnings().filter((msg) => msg === expired)).toHaveLength(2);

  writeFileSync(config, readFileSync(config, "utf8").replaceAll("expired", "localhost").replace("false", "true"));
  kill("SIGHUP");
  await stderr.until(() => (stderr.text.match(/"reloaded: /g)?.length === 2 ? true : undefined));
  expect(warnings()).toHaveLength(4);
  expect(Number(await metric())).toBe(Date.UTC(2124, 0, 1) / 1_000);
});

test("a running server warns every day, until it is closed", () => {
  vi.useFakeTimers({ now: Date.UTC(2123, 11, 30) });
  const warnings: string[] = [];
  const logger = pino(
    {},
    {
      write(line) {
        const { level, msg } = JSON.parse(line);
        if (level >= 40) warnings.push(msg);
      },
    },
  );
  const server = createServer(createProxy({ upstreams: [nowhere] }), { listen: "127.0.0.1:0" });
  const status = new ConfigurationWarnings(logger);
  const file = writeFile("config.toml", tls("localhost") + poolOf(nowhere));
  const files = { cert: readFileSync(`${certs}/localhost.crt`, "utf8"), key: "", certificates: [] };
  status.configured({ config: loadConfig(file), tls: files }, server.status());
  vi.advanceTimersByTime(2 * 86_400_000);
  expect(warnings.map((text) => text.replace(/^.*localhost\.crt /, ""))).toEqual([
    "expires at 2124-01-01 00:00 UTC, in 2 days",
    "expires at 2124-01-01 00:00 UTC, in 24 h",
    "expired at 2124-01-01 00:00 UTC",
  ]);
  status.close();
  vi.advanceTimersByTime(2 * 86_400_000);
  expect(warnings).toHaveLength(3);
});

test.each([
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n",
  "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
])("plain HTTP on a TLS port gets a 400 response and is counted: %j", async (bytes) => {
  const upstream = await startUpstream((_req, res) => res.end("ok"));
  const toml = `${anyPort}${tls("localhost")}${withAdmin}${poolOf(upstream.url)}`;
  const { url, port, admin, stderr } = await serve(toml);
  const client = await RawClient.open(port, bytes);
  await client.closed;
  expect(client.received).toMatch(/^HTTP\/1\.1 400 Bad Request\r\nContent-Type: text\/plain/);
  expect(client.received).toContain(
    "\r\nConnection: close\r\n\r\nThis port speaks HTTPS: send the request over TLS.\n",
  );
  await stderr.record(({ level, msg = "" }) => level === "warn" && msg.includes("plain HTTP requests"));
  const { text } = await sendRequest(admin, { path: "/metrics" });
  expect(text).toContain('evenkeel_tls_handshake_failures_total{reason="plain_http"} 1');
  expect(text).toContain('evenkeel_tls_handshake_failures_total{reason="other"} 0');
  expect((await sendRequest(url)).text).toBe("ok");
});

test("a client with an unsupported version of TLS gets an alert and nothing else", async () => {
  const { port, admin } = await serve(`${anyPort}${tls("localhost")}${withAdmin}${poolOf(nowhere)}`);
  const error = await new Promise<NodeJS.ErrnoException>((resolve) => {
    connectTls({ port, host: "127.0.0.1", minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" })
      .once("error", resolve)
      .once("secureConnect", () => resolve(new Error("connected")));
  });
  expect(error.code).toMatch(/ALERT/);
  const { text } = await sendRequest(admin, { path: "/metrics" });
  expect(text).toContain('evenkeel_tls_handshake_failures_total{reason="other"} 1');
});

test("bytes that are neither TLS nor HTTP close only their own connection", async () => {
  const upstream = await startUpstream((_req, res) => res.end("ok"));
  const { url, port } = await serve(`${anyPort}${tls("localhost")}${poolOf(upstream.url)}`);
  for (const bytes of ["\x00".repeat(100), "\x16\x03\x01\x00\x05hello", "x".repeat(1_000)]) {
    const client = await RawClient.open(port, bytes);
    await client.closed;
  }
  expect((await sendRequest(url)).text).toBe("ok");
});
