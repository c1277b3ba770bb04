import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { startDnsServer, type Zone } from "../packages/core/test/support/dns-server.ts";
import { startUpstream } from "../packages/core/test/support/start-upstream.ts";

const require = createRequire(import.meta.url);
const command = path.join(path.dirname(require.resolve("@evenkeel/cli")), "../bin/evenkeel.js");

test("the upstreams of the discovery example follow the SRV records", async () => {
  const [a, b] = await Promise.all([startUpstream("a"), startUpstream("b")]);
  const leadTo = (...ports: number[]): Zone => ({
    "web.test": { srv: ports.map((port) => ({ target: "node.test", port })), ttl: 0 },
    "node.test": { a: ["127.0.0.1"], ttl: 0 },
  });
  const dns = await startDnsServer(leadTo(a.port));
  const env = { ...process.env, PORT: "0", SERVICE: "web.test", DNS_SERVER: dns.address };
  const cwd = path.join(import.meta.dirname, "dns-discovery");
  const proxy = spawn(process.execPath, [command], { cwd, env, stdio: ["ignore", "ignore", "pipe"] });
  const exited = once(proxy, "exit");
  onTestFinished(() => void proxy.kill("SIGKILL"));
  const log: { msg: string; listen?: string[] }[] = [];
  const lines = createInterface({ input: proxy.stderr })[Symbol.asyncIterator]();
  /** Resolves with the first line that contains the text, past or future. */
  const said = async (message: string) => {
    for (;;) {
      const line = log.find(({ msg }) => msg.includes(message));
      if (line !== undefined) return line;
      const next = await lines.next();
      if (next.done === true) throw new Error(`the process has ended without saying "${message}"`);
      log.push(JSON.parse(next.value) as (typeof log)[number]);
    }
  };
  await said("web: web.test resolves to 1 upstream");
  const [url = ""] = (await said("ready on")).listen ?? [];
  const get = async () => (await fetch(url)).text();
  expect([await get(), await get()]).toEqual(["a", "a"]);

  dns.zone = leadTo(a.port, b.port);
  await said(`web/127.0.0.1:${b.port} was added`);
  expect([await get(), await get()].sort()).toEqual(["a", "b"]);

  dns.zone = { "web.test": "SERVFAIL" };
  await said("web: the lookup of web.test fails: SERVFAIL; 2 upstreams found before stay in use");
  expect([await get(), await get()].sort()).toEqual(["a", "b"]);

  dns.zone = leadTo(b.port);
  await said(`web/127.0.0.1:${a.port} was removed`);
  expect([await get(), await get()]).toEqual(["b", "b"]);

  proxy.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});
