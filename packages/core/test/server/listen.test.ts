import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { createRequire } from "node:module";
import { type AddressInfo, createServer as createNetServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { OptionsError } from "../../src/config/issues.ts";
import { createProxy } from "../../src/proxy.ts";
import { createServer, ListenError } from "../../src/server/index.ts";
import { cert, key, wildcard } from "../support/certificates.ts";
import { serve } from "../support/serve.ts";
import { startUpstream } from "../support/start-upstream.ts";

const options = { upstreams: ["http://127.0.0.1:1"] };

function closed<T extends { close(options: { timeout: string }): Promise<void> }>(closable: T): T {
  onTestFinished(() => closable.close({ timeout: "0ms" }));
  return closable;
}

function makeFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "evenkeel-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The body of a response over a unix socket. */
function getOver(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path: "/", agent: false }, (response) => resolve(text(response)))
      .once("error", reject)
      .end();
  });
}

test("proxy.listen serves requests on the address, and proxy.close closes the server", async () => {
  const upstream = await startUpstream("a", (_req, res) => res.end("hello"));
  const { proxy, url, server, requests } = await serve({ upstreams: [upstream.url] });
  expect(await (await fetch(url)).text()).toBe("hello");
  expect(requests).toMatchObject([{ method: "GET", status: 200, protocol: "HTTP/1.1", client: "127.0.0.1" }]);
  expect(server.urls).toEqual([url]);
  await proxy.close();
  expect(server.urls).toEqual([url]);
  await expect(fetch(url)).rejects.toThrow();
  await expect(proxy.listen("127.0.0.1:0")).rejects.toMatchObject({ code: "closed" });
});

test("a server listens on several addresses, a Unix socket included", async () => {
  const upstream = await startUpstream("a", (_req, res) => res.end("hello"));
  const socketPath = path.join(makeFolder(), "proxy.sock");
  const proxy = closed(createProxy({ upstreams: [upstream.url] }));
  const server = closed(createServer(proxy, { listen: ["127.0.0.1:0", `unix:${socketPath}`, "[::1]:0"] }));
  await server.listen();
  const [first = "", second, third = ""] = server.urls;
  expect(second).toBe(`unix:${socketPath}`);
  for (const url of [first, third]) expect(await (await fetch(url)).text()).toBe("hello");
  expect(await getOver(socketPath)).toBe("hello");
  await expect(server.listen()).rejects.toThrow("started already");
  await server.close();
  expect(existsSync(socketPath)).toBe(false);
});

/** Leaves the file of a Unix socket behind, as a process does that crashes. */
function makeStaleSocket(folder: string): string {
  const stale = path.join(folder, "stale.sock");
  const program = `require("node:net").createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", program]);
  expect(statSync(stale, { bigint: true }).isSocket()).toBe(true);
  return stale;
}

test("a Unix socket that a crashed process has left is replaced; one in use, and a file, are not", async () => {
  const folder = makeFolder();
  const stale = makeStaleSocket(folder);
  const proxy = closed(createProxy(options));
  const server = await proxy.listen(`unix:${stale}`);
  expect(server.urls).toEqual([`unix:${stale}`]);
  await expect(proxy.listen(`unix:${stale}`)).rejects.toThrow("something else is listening there already");
  const file = path.join(folder, "file");
  writeFileSync(file, "precious");
  await expect(proxy.listen(`unix:${file}`)).rejects.toBeInstanceOf(ListenError);
  expect(existsSync(file)).toBe(true);
});

test("a taken port is an error with the address and the reason, and nothing stays open", async () => {
  const other = createNetServer().listen(0, "127.0.0.1");
  onTestFinished(() => void other.close());
  await new Promise((resolve) => void other.once("listening", resolve));
  const { port } = other.address() as AddressInfo;
  const free = path.join(makeFolder(), "free.sock");
  const proxy = closed(createProxy(options));
  const error = await proxy.listen([`unix:${free}`, `127.0.0.1:${port}`]).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ListenError);
  expect(error).toMatchObject({
    code: "EADDRINUSE",
    address: `127.0.0.1:${port}`,
    message: `cannot listen on 127.0.0.1:${port}: the port is taken, another process is listening there`,
  });
  expect(existsSync(free)).toBe(false);
});

test("every mistake in the options is an issue with its path", () => {
  const proxy = closed(createProxy(options));
  const issuesOf = (serverOptions: object): string[] => {
    try {
      createServer(proxy, serverOptions as never);
      return [];
    } catch (error) {
      return (error as Error).message.split("\n");
    }
  };
  expect(issuesOf({})).toEqual([expect.stringMatching(/^listen: expected an address/)]);
  expect(
    issuesOf({
      listen: "8080",
      htp2: true,
      maxConnections: 0,
      proxyProtocol: ["10.0.0.0/33"],
      limits: { headBytes: 5 },
    }),
  ).toEqual([
    expect.stringMatching(/^listen: expected "host:port"/),
    expect.stringMatching(/^maxConnections: expected a whole number/),
    expect.stringMatching(/^proxyProtocol\[0\]: expected an address or a network/),
    expect.stringMatching(/^limits\.headBytes: expected a size/),
    expect.stringMatching(/^htp2: unknown key, did you mean "http2"\?/),
  ]);
  expect(issuesOf({ listen: ":0", tls: { cert: "site.pem", key } })).toEqual([
    "tls.cert: expected a certificate in PEM, not a path",
  ]);
  const tls = { cert, key, certificates: [wildcard, { cert: wildcard.cert, key }] };
  expect(issuesOf({ listen: ":0", tls })).toEqual(["tls.certificates[1].key: does not belong to the certificate"]);
  expect(issuesOf({ listen: ":0", tls: { cert: "-----BEGIN x", key: "-----BEGIN x" } })).toEqual([
    "tls.cert: is not a certificate in PEM",
    "tls.key: is not a private key in PEM, or has a passphrase",
  ]);
});

test("options that cannot be applied change nothing", async () => {
  const { server } = await serve(options, { maxConnections: 5 });
  expect(() => server.configure({ tls: { cert, key } })).toThrow(OptionsError);
  expect(() => server.configure({ maxConnections: 0 })).toThrow(OptionsError);
  expect(() => server.renewTls({ cert, key })).toThrow(OptionsError);
  expect(server.status().connections.limit).toBe(5);
  server.configure({ maxConnections: 7 });
  expect(server.status().connections.limit).toBe(7);
});

test.each(["close", "destroy"] as const)(
  "a server on which %s is called while it begins to listen leaves nothing open",
  async (how) => {
    const proxy = closed(createProxy(options));
    const server = createServer(proxy, { listen: ["127.0.0.1:0", "127.0.0.1:0"] });
    const listening = server.listen();
    await Promise.all([expect(listening).rejects.toThrow("the server was closed"), server[how]()]);
    expect(server.urls).toEqual([]);
  },
);

test("a server that was closed before it listened cannot listen", async () => {
  const server = createServer(closed(createProxy(options)), { listen: "127.0.0.1:0" });
  await server.close();
  await expect(server.listen()).rejects.toThrow("the server was closed");
});

test.each([undefined, {}, { requests: {} }])("a server for %j instead of a proxy is a mistake", (proxy) => {
  expect(() => createServer(proxy as never, { listen: "127.0.0.1:0" })).toThrow(
    "expected a proxy of `createProxy` as the first argument",
  );
});

test("the path of a Unix socket that is too long for the system is a mistake", async () => {
  const folder = makeFolder();
  const proxy = closed(createProxy(options));
  const socketPath = path.join(folder, "s".repeat(110));
  await expect(proxy.listen(`unix:${socketPath}`)).rejects.toMatchObject({
    name: "ListenError",
    code: "ENAMETOOLONG",
    message: `cannot listen on unix:${socketPath}: the path is too long, at most 107 bytes are possible`,
  });
  expect(readdirSync(folder)).toEqual([]);
});

test("a stale Unix socket does not change which modules an app loads afterwards", async () => {
  const folder = realpathSync(makeFolder());
  const stale = makeStaleSocket(folder);
  const [linked, modules] = [path.join(folder, "store/linked"), path.join(folder, "app/node_modules")];
  for (const each of [linked, modules]) mkdirSync(each, { recursive: true });
  for (const name of ["first", "second"]) writeFileSync(path.join(linked, `${name}.js`), "module.exports = __filename");
  symlinkSync(linked, path.join(modules, "linked"));
  const load = createRequire(path.join(folder, "app/main.js"));
  // Node keeps that the folders on the way are no links.
  expect(load("linked/first.js")).toBe(path.join(linked, "first.js"));
  await closed(createProxy(options)).listen(`unix:${stale}`);
  expect(load("linked/second.js")).toBe(path.join(linked, "second.js"));
});
