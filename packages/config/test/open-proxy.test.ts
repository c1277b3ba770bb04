import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createProxy, type LogEntry, type RequestContext } from "evenkeel";
import { describe, expect, onTestFinished, test } from "vitest";
import { openProxy, type ProxySource } from "../src/index.ts";

const upstreams = ["http://127.0.0.1:1"];
/** The own options of an adapter. */
const ownKeys = ["prefix", "passErrors"];

function messageFor(source: unknown): string {
  try {
    void openProxy(source as ProxySource, ownKeys).proxy.close({ timeout: "0s" });
  } catch (error) {
    expect(error).toMatchObject({ name: "ProxyError", code: "invalid_options" });
    return (error as Error).message;
  }
  return "";
}

function makeProxy() {
  const proxy = createProxy({ upstreams });
  onTestFinished(() => proxy.close({ timeout: "0s" }));
  return proxy;
}

function writeConfig(): string {
  const directory = mkdtempSync(join(tmpdir(), "evenkeel-open-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "proxy.toml");
  writeFileSync(file, 'upstreams = ["http://127.0.0.1:1"]\n');
  return file;
}

test("tracing is switched off beside options and beside a file, with hooks of a class, and not beside a proxy", async () => {
  const published: unknown[] = [];
  const listener = (message: unknown) => void published.push(message);
  subscribe("tracing:evenkeel:request:start", listener);
  onTestFinished(() => void unsubscribe("tracing:evenkeel:request:start", listener));
  class OwnHooks {
    readonly #seen: string[] = [];
    onRequest({ requestId, respond }: RequestContext) {
      this.#seen.push(requestId);
      respond({ status: 204 + this.#seen.length });
    }
  }
  for (const source of [{ upstreams }, { config: writeConfig() }]) {
    for (const tracing of [false, true]) {
      const { proxy } = openProxy({ ...source, hooks: new OwnHooks(), tracing });
      onTestFinished(() => proxy.close({ timeout: "0s" }));
      const server = await proxy.listen("127.0.0.1:0");
      published.length = 0;
      expect((await fetch(String(server.urls[0]))).status).toBe(205);
      expect(published).toHaveLength(tracing ? 1 : 0);
    }
  }
  expect(messageFor({ proxy: makeProxy(), tracing: false })).toBe('tracing: cannot be used together with "proxy"');
  expect(messageFor({ upstreams, tracing: "off" })).toBe("tracing: expected true or false");
  expect(messageFor({ upstreams, traicng: false })).toContain('did you mean "tracing"');
});

test("a logger is used beside options and beside a file, not beside a proxy, and is checked", () => {
  const messages: string[] = [];
  const logger = ({ message }: LogEntry) => void messages.push(message);
  for (const source of [{ upstreams }, { config: writeConfig() }]) {
    const { proxy } = openProxy({ ...source, logger });
    onTestFinished(() => proxy.close({ timeout: "0s" }));
    proxy.reload({ upstreams });
  }
  expect(messages).toEqual(Array(2).fill("reloaded: pools and upstreams stay as they are"));
  expect(messageFor({ proxy: makeProxy(), logger })).toBe('logger: cannot be used together with "proxy"');
  expect(messageFor({ upstreams, logger: { log() {} } })).toContain("expected a logger with info, warn and error");
});

describe("an argument that is not an object of options", () => {
  const expected =
    'options: expected { upstreams: ["http://127.0.0.1:3001"] }, { config: "proxy.toml" } or { proxy }, found ';

  test.each<[string, unknown, string]>([
    ["nothing", undefined, "nothing"],
    ["null", null, "null"],
    ["a URL", "http://user:password@127.0.0.1:3001", "a URL: write { upstreams: [url] }"],
    ["a path", "proxy.toml", "a string: write { config: path }"],
    ["an array", upstreams, "an array: write { upstreams: [...] }"],
    ["a number", 5, "a number"],
    ["a function", () => {}, "a function"],
  ])("is explained in one line: %s", (_what, source, found) => {
    expect(messageFor(source)).toBe(expected + found);
  });

  test("is explained when it is a proxy instead of { proxy }", () => {
    expect(messageFor(makeProxy())).toBe(`${expected}a proxy: write { proxy }`);
  });

  test.each([5, "x", {}, null])("is explained when `proxy` is not a proxy: %j", (proxy) => {
    expect(messageFor({ proxy })).toBe("proxy: expected what createProxy returns");
  });

  test("is explained when `config` is not a path", () => {
    expect(messageFor({ config: 5 })).toBe("config: expected the path of a configuration file");
  });
});

describe("keys", () => {
  test.each([
    ["passError", 'passError: unknown key, did you mean "passErrors"?'],
    ["prefx", 'prefx: unknown key, did you mean "prefix"?'],
    ["confg", 'confg: unknown key, did you mean "config"?'],
    ["upstream", 'upstream: unknown key, did you mean "upstreams"?'],
  ])("%s is recognised as a typo of an adapter's key or a proxy's", (key, message) => {
    expect(messageFor({ upstreams, [key]: "x" })).toBe(message);
  });

  test("of an adapter are listed as allowed", () => {
    expect(messageFor({ upstreams, xyzzy: 1 })).toMatch(/^xyzzy: unknown key; allowed here: .*\bprefix, passErrors\b/);
  });

  test.each([
    ["a typo", "prefx", 'prefx: unknown key, did you mean "prefix"?'],
    ["an unknown key", "xyzzy", "xyzzy: unknown key; allowed here: "],
    ["an option of the proxy", "upstreams", "upstreams: cannot be used together with "],
    ["another option of the proxy", "routes", "routes: cannot be used together with "],
  ])("beside a file or a proxy: %s", (_what, key, message) => {
    expect(messageFor({ config: writeConfig(), [key]: [] })).toContain(message);
    expect(messageFor({ proxy: makeProxy(), [key]: [] })).toContain(message);
  });

  test("with the value undefined are ignored, and so are an adapter's own", () => {
    expect(messageFor({ upstreams, config: undefined, proxy: undefined, prefix: "/api", xyzzy: undefined })).toBe("");
    expect(messageFor({ config: writeConfig(), proxy: undefined, upstreams: undefined, passErrors: true })).toBe("");
    expect(messageFor({ proxy: makeProxy(), config: undefined, prefix: "/api" })).toBe("");
  });
});
