import { describe, expect, test } from "vitest";
import { cpuMs } from "../../../core/test/support/cpu-time.ts";
import { maskSource } from "../../src/errors/mask-source.ts";
import { shownKeys } from "../../src/errors/shown-keys.ts";

const mask = (text: string) => maskSource(text, shownKeys());

describe("in the source of a configuration", () => {
  test.each([
    ["a known secret", 'secret = "hunter2"', 'secret = "*******"'],
    ["a misspelt key", 'tokne = "hunter2"', 'tokne = "*******"'],
    ["any unknown key", 'passphrse = "hunter2"', 'passphrse = "*******"'],
    ["a key that is similar to an option", 'bearer = "hunter2"', 'bearer = "*******"'],
    ["an unknown key of an inline table", '{ listen = ":1", tkn = "hunter2" }', '{ listen = ":1", tkn = "*******" }'],
    ["single quotes", "token = 'hunter2'", "token = '*******'"],
    ["escaped quotes", 'token = "a\\"b", path = "/x"', 'token = "****"*************'],
    ["a quote in the middle", 'token = "hun"ter2"', 'token = "***"*****'],
    ["no closing quote", 'token = "hunter2\npath = "/x"', 'token = "*******\npath = "/x"'],
    ["no quotes", "token = hunter2 # old", "token = *************"],
    ["keys that are not an option", 'keys = ["a1"]', 'keys = ["**"]'],
    ["digits", "token = 12345", "token = *****"],
    ["many digits of an unknown key", "tkn = 123456", "tkn = ******"],
    ["no equals sign", 'token "hunter2"', 'token "*******"'],
    ["an array", 'tokens = ["a1", "b2"]', 'tokens = ["**", "**"]'],
    ["an array over lines", 'tokens = [\n  "a1",\n  "b2",\n]', 'tokens = [\n  "**",\n  "**",\n]'],
    [
      "a header's value",
      '[routes.requestHeaders]\nset = { Host = "hunter2" }',
      '[routes.requestHeaders]\nset = { Host = "*******" }',
    ],
    [
      "a header named like an option",
      '[a.healthCheck.headers]\npath = "hunter2"',
      '[a.healthCheck.headers]\npath = "*******"',
    ],
    ["a dotted header", 'requestHeaders.set.path = "hunter2"', 'requestHeaders.set.path = "*******"'],
    ["a dotted table of headers", 'healthCheck.headers = { path = "x1" }', 'healthCheck.headers = { path = "**" }'],
    ["user info", 'url = "http://bob:hunter2@a:1/x"', 'url = "http://***********@a:1/x"'],
    ["user info with a slash", 'url = "http://bob:hun/ter2@a"', 'url = "http://************@a"'],
    ["user info without a scheme", 'url = "bob:hunter2@a:1"', 'url = "***********@a:1"'],
    ["a secret query parameter", 'path = "/x?a=1&api_key=hunter2&b=2"', 'path = "/x?a=1&api_key=*******&b=2"'],
    ["a bearer token in a value that is shown", 'expectBody = "Bearer hunter2"', 'expectBody = "Bearer *******"'],
    [
      "inline PEM",
      'key = """-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"""',
      'key = """-----BEGIN PRIVATE KEY-----\n****\n*************************"""',
    ],
    [
      "inline PEM on one line",
      'key = "-----BEGIN EC PRIVATE KEY-----\\nMIIE\\n-----END EC PRIVATE KEY-----"',
      'key = "-----BEGIN EC PRIVATE KEY-----********-----END EC PRIVATE KEY-----"',
    ],
    ["lines after a missing closing quote", 'path = """/x\ntoken = "hunter2"', 'path = """/x\n*****************'],
    ["a comment", '# token = "hunter2"', '# token = "*******"'],
    ["a comment behind a value", 'path = "/x" # tkn = "hunter2" # "a"', 'path = "/x" # tkn = "*******" # ***'],
    ["JSON", '{"server": {"tokne": "hunter2", "listen": ":1"}}', '{"server": {"tokne": "*******", "listen": ":1"}}'],
    ["JSON over lines", '{\n"tokne":\n"hunter2"}', '{\n"tokne":\n"*******"}'],
    ["a default of a variable", `token = "\${T:-hunter2}"`, 'token = "*************"'],
  ])("%s is masked", (_, text, masked) => {
    expect(mask(text)).toBe(masked.length === text.length ? masked : "the case is wrong");
  });

  test.each([
    'listen = "127.0.0.1:8080"',
    'url = "http://10.0.0.1:3000/base"',
    `token = "\${TOKEN}"`,
    "maxConnections = 123456",
    "unknown = true",
    "unknown = 12 # twelve",
    '[[pools.api.upstreams]]\nurl = "http://a"\nweight = 3',
    'upstreams = ["http://a", { url = "http://b", weight = 2 }]',
    'key = "certs/client.key"',
    'cookie = "evenkeel"',
    '{"upstreams": ["http://a"]}',
    "path = '/api' # it's here",
    "maxConnections = 1 # one # or two",
    'upstreem = ["http://a"]',
    'timeouts = { keepalive = "75s" }',
    'server . "timeouts" . keepAlive = "5s"',
  ])("%s is shown", (text) => {
    expect(mask(text)).toBe(text);
  });

  test("a table of headers ends at the next table", () => {
    const text = '[routes.requestHeaders.set]\nhost = "a"\n[server]\nlisten = ":1"';
    expect(mask(text)).toBe(text.replace('"a"', '"*"'));
  });

  test("a megabyte of any repeated token is masked in bounded time", () => {
    const pieces = ['a="', "#", "[", "{", '"""', "//", "\\", "a:b@", "x = 1\n", '"', "'''", "?token="];
    for (const piece of pieces) {
      const text = piece.repeat(Math.floor(1_000_000 / piece.length));
      const ms = cpuMs(() => expect(mask(text)).toHaveLength(text.length));
      expect(ms, piece).toBeLessThan(3_000);
    }
  });
});

test("without a list of keys only keys that are named like a secret are masked", () => {
  expect(maskSource('name = "x"\npassword = "x"', undefined)).toBe('name = "x"\npassword = "*"');
});
