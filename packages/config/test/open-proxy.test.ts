import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createProxy } from "evenkeel";
import { describe, expect, onTestFinished, test } from "vitest";
import { openProxy, type ProxySource } from "../src/index.ts";

const upstreams = ["http://127.0.0.1:1"];
/** As an adapter calls it whose own options are these. */
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

describe("what is no options at all", () => {
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
  ])("%s is explained in one line", (_what, source, found) => {
    expect(messageFor(source)).toBe(expected + found);
  });

  test("so is a proxy in the place of { proxy }", () => {
    expect(messageFor(makeProxy())).toBe(`${expected}a proxy: write { proxy }`);
  });

  test.each([5, "x", {}, null])("and what is no proxy in it: %j", (proxy) => {
    expect(messageFor({ proxy })).toBe("proxy: expected what createProxy returns");
  });

  test("and a path that is none", () => {
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

  test("of an adapter are among those that are allowed", () => {
    expect(messageFor({ upstreams, xyzzy: 1 })).toMatch(/^xyzzy: unknown key; allowed here: .*\bprefix, passErrors\b/);
  });

  test.each([
    ["a typo", "prefx", 'prefx: unknown key, did you mean "prefix"?'],
    ["no key at all", "xyzzy", "xyzzy: unknown key; allowed here: "],
    ["a proxy's own", "upstreams", "upstreams: cannot be used together with "],
    ["a proxy's own, in its long form", "routes", "routes: cannot be used together with "],
  ])("beside a file or a proxy: %s", (_what, key, message) => {
    expect(messageFor({ config: writeConfig(), [key]: [] })).toContain(message);
    expect(messageFor({ proxy: makeProxy(), [key]: [] })).toContain(message);
  });

  test("that are undefined count as left out, and an adapter's own are passed over", () => {
    expect(messageFor({ upstreams, config: undefined, proxy: undefined, prefix: "/api", xyzzy: undefined })).toBe("");
    expect(messageFor({ config: writeConfig(), proxy: undefined, upstreams: undefined, passErrors: true })).toBe("");
    expect(messageFor({ proxy: makeProxy(), config: undefined, prefix: "/api" })).toBe("");
  });
});
