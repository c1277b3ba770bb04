import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { ProxyError } from "evenkeel";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError, loadConfig, parseConfig } from "../src/index.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "evenkeel-config-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function write(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function catchError(run: () => unknown): ConfigError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toBeInstanceOf(ProxyError);
    expect((error as ConfigError).code).toBe("invalid_options");
    return error as ConfigError;
  }
  throw new Error("nothing was thrown");
}

const places = ({ mistakes }: ConfigError) => mistakes.map(({ line, column }) => `${line}:${column}`);

describe("loadConfig", () => {
  it("reads TOML, and JSON from a file whose name ends in .json", () => {
    const expected = { options: { upstreams: ["http://a"] }, admin: undefined };
    expect(loadConfig(write("a.toml", 'upstreams = ["http://a"]'))).toMatchObject(expected);
    expect(loadConfig(write("a.conf", 'upstreams = ["http://a"]'))).toMatchObject(expected);
    expect(loadConfig(write("a.json", '{"upstreams": ["http://a"]}'))).toMatchObject(expected);
    expect(loadConfig(write("A.JSON", '{"upstreams": ["http://a"]}'))).toMatchObject(expected);
  });

  it("accepts a relative path, names it in errors, and returns the absolute one", () => {
    const path = relative(process.cwd(), write("a.toml", "forwarded = 1"));
    const error = catchError(() => loadConfig(path));
    expect(error.file).toBe(path);
    expect(error.message).toMatch(`${path}:1:13: `);
    write("a.toml", 'upstreams = ["http://a"]\naccessLog.path = "x.log"');
    expect(loadConfig(path)).toMatchObject({
      file: join(directory, "a.toml"),
      accessLog: { path: join(directory, "x.log") },
    });
  });

  it("uses the environment of the process, or the given one", () => {
    const path = write("a.toml", 'upstreams = ["http://$' + '{EVENKEEL_TEST_HOST}"]');
    expect(catchError(() => loadConfig(path)).message).toContain("EVENKEEL_TEST_HOST is not set");
    expect(loadConfig(path, { env: { EVENKEEL_TEST_HOST: "b" } }).options).toEqual({ upstreams: ["http://b"] });
    process.env["EVENKEEL_TEST_HOST"] = "c";
    try {
      expect(loadConfig(path).options).toEqual({ upstreams: ["http://c"] });
    } finally {
      delete process.env["EVENKEEL_TEST_HOST"];
    }
  });

  it("returns a frozen configuration", () => {
    const config = loadConfig(
      write("a.toml", 'admin = {}\n[pools.a]\nupstreams = [{ url = "http://a" }]\ntimeouts = {}'),
    );
    const frozen = (value: unknown): boolean =>
      typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(config.options)).toBe(true);
    expect(frozen(config)).toBe(true);
  });

  it("reports a missing file in one line", () => {
    const path = join(directory, "none.toml");
    const error = catchError(() => loadConfig(path));
    expect(error).toMatchObject({ kind: "missing", file: path, mistakes: [] });
    expect(error.message).toBe(`there is no file ${JSON.stringify(path)}`);
    expect(error.cause).toMatchObject({ code: "ENOENT" });
    expect(catchError(() => loadConfig(join(write("f", ""), "a.toml"))).kind).toBe("missing");
  });

  it("reports an unreadable file in one line", () => {
    expect(catchError(() => loadConfig(directory))).toMatchObject({
      kind: "unreadable",
      message: `${JSON.stringify(directory)} is a directory, not a file`,
    });
    const loop = join(directory, "loop.toml");
    symlinkSync(loop, loop);
    expect(catchError(() => loadConfig(loop))).toMatchObject({
      kind: "unreadable",
      message: `cannot read ${JSON.stringify(loop)}: ELOOP`,
    });
    expect(catchError(() => loadConfig("a\0b")).kind).toBe("unreadable");
  });

  it("rejects a file above the limit, without reading it all", () => {
    const fill = Buffer.alloc(4_194_304, "#");
    fill.write('upstreams=["http://a"]\n');
    const path = write("a.toml", fill);
    expect(loadConfig(path).options).toEqual({ upstreams: ["http://a"] });
    for (const size of [1, 46 * 1_048_576]) {
      writeFileSync(path, Buffer.concat([fill, Buffer.alloc(size, "#")]));
      expect(catchError(() => loadConfig(path))).toMatchObject({ kind: "unreadable" });
      expect(catchError(() => loadConfig(path)).message).toContain("4194304 bytes");
    }
  });

  it("rejects a device and a socket", async () => {
    expect(catchError(() => loadConfig("/dev/zero"))).toMatchObject({
      kind: "unreadable",
      message: '"/dev/zero" is a device, not a file',
    });
    const path = join(directory, "app.sock");
    const server = createServer().listen(path);
    await once(server, "listening");
    expect(catchError(() => loadConfig(path)).message).toBe(`${JSON.stringify(path)} is a socket, not a file`);
    server.close();
  });

  it("rejects a FIFO without waiting for its writer, as the file itself and as a file that it names", async () => {
    const fifo = join(directory, "fifo");
    execFileSync("mkfifo", [fifo]);
    const naming = write("a.toml", 'upstreams = ["https://a"]\ntls.ca = "fifo"');
    const source = new URL("../src/load-config.ts", import.meta.url).href;
    const built = new URL("../dist/load-config.js", import.meta.url).href;
    // In a separate process, which can be killed if it blocks.
    const script = `
      const { loadConfig } = await import(process.features.typescript ? ${JSON.stringify(source)} : ${JSON.stringify(built)});
      for (const path of ${JSON.stringify([fifo, naming])}) try { loadConfig(path); } catch (error) { console.log(error.message); }`;
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], { timeout: 20_000 });
    expect((await run).stdout.match(/"\S+" is a pipe, not a file/g)).toEqual([
      `${JSON.stringify(fifo)} is a pipe, not a file`,
      `${JSON.stringify(fifo)} is a pipe, not a file`,
    ]);
  });

  it("points at the first character that is not UTF-8", () => {
    const path = write("a.toml", Buffer.from("# \ufeff\ufffd ä\n\r\n# \xff 2\n\xfe", "latin1"));
    writeFileSync(path, Buffer.concat([Buffer.from("# ä\ufffd\n\n# ä "), Buffer.from([0xff]), Buffer.from("\n\xfe")]));
    const error = catchError(() => loadConfig(path));
    expect(error.kind).toBe("syntax");
    expect(places(error)).toEqual(["3:5"]);
    expect(error.message).toBe(`${path}:3:5: not UTF-8: save the file as text in UTF-8\n  3 | # ä \ufffd\n    |     ^`);
    for (const bytes of [
      [0xff, 0xfe, 0x61, 0x00],
      [0x61, 0xc3],
      [0xed, 0xa0, 0x80],
    ]) {
      expect(catchError(() => loadConfig(write("b.toml", Buffer.from(bytes)))).message).toContain("not UTF-8");
    }
  });

  it("reads PEM files relative to the file, not to the working directory", () => {
    mkdirSync(join(directory, "certs"));
    const path = write("a.toml", 'upstreams = ["https://a"]\ntls.ca = "certs/ca.pem"');
    expect(catchError(() => loadConfig(path)).message).toContain(
      `2:10: tls.ca: there is no file ${JSON.stringify(join(directory, "certs/ca.pem"))}`,
    );
    write("certs/ca.pem", Buffer.alloc(1_048_577, "x"));
    expect(catchError(() => loadConfig(path)).message).toContain("is larger than the limit");
    write("certs/ca.pem", Buffer.from([0xff]));
    expect(catchError(() => loadConfig(path)).message).toContain("is not text in UTF-8");
  });
});

describe("parseConfig", () => {
  const parse = (text: string, file = "x.toml") => parseConfig(text, { file, env: {} });

  it("accepts a byte order mark and any line breaks, and counts positions right", () => {
    expect(parse('\ufeffupstreams = ["http://a"]\r\n[server]\r\nlisten = ":1"\r\n').server.listen).toEqual([
      { host: undefined, port: 1 },
    ]);
    const toml = catchError(() =>
      parse('\ufeffforwarded = 1\r\n[server]\r\n\tlisten = 5\r\nx="""\r\n"""\r\ny = 1\r\n'),
    );
    expect(places(toml)).toEqual(["1:13", "3:11", "4:1", "6:1"]);
    expect(toml.message).toContain("  3 | \tlisten = 5\n    | \t         ^");
    expect(toml.message).not.toContain("\r");
    const json = catchError(() => parse('\ufeff{\r\n  "forwarded": 1,\r\n  "x": 1\r\n}', "x.json"));
    expect(places(json)).toEqual(["2:16", "3:3"]);
    expect(places(catchError(() => parse("\ufeffa = 1\r\nb =\r\n")))).toEqual(["2:4"]);
    expect(places(catchError(() => parse('\ufeff{"a":1,\r\n}', "x.json")))).toEqual(["2:1"]);
  });

  it("detects the format by the name unless it is given", () => {
    expect(parseConfig('{"upstreams":["http://a"]}', { file: "x.toml", format: "json" }).options).toEqual({
      upstreams: ["http://a"],
    });
    expect(parseConfig('upstreams = ["http://a"]', { file: "x.json", format: "toml" }).options).toEqual({
      upstreams: ["http://a"],
    });
  });

  it("rejects a text above the limit", () => {
    expect(catchError(() => parse("#".repeat(4_194_305)))).toMatchObject({ kind: "unreadable", file: "x.toml" });
  });

  it.each([
    ["arrays", `x = ${"[".repeat(100_000)}`],
    ["inline tables", `x = ${"{a=".repeat(100_000)}`],
    ["a dotted key", `${"a.".repeat(100_000)}a = 1`],
    ["a dotted header", `[${"a.".repeat(100_000)}a]`],
    ["a dotted key where a duration belongs", `timeouts.idle${".a".repeat(100_000)} = 1`],
  ])("survives %s a hundred thousand levels deep", (_, text) => {
    const error = catchError(() => parse(text));
    expect(error.message.length).toBeLessThan(2_000);
    expect(error.mistakes.some(({ message }) => /nested/.test(message))).toBe(true);
  });

  it.each([
    ["arrays", "[".repeat(100_000)],
    ["tables", '{"a":'.repeat(100_000)],
  ])("survives JSON %s a hundred thousand levels deep", (_, text) => {
    const error = catchError(() => parse(text, "x.json"));
    expect(error).toMatchObject({ kind: "syntax", mistakes: [{ message: "nested deeper than 64 levels", line: 1 }] });
  });

  it("lists a hundred mistakes and counts the rest", () => {
    const text = Array.from({ length: 1_000 }, (_, index) => `key${index} = ${index}`).join("\n");
    const error = catchError(() => parse(text));
    expect(error.mistakes).toHaveLength(1_000);
    expect(error.message.match(/unknown key/g)).toHaveLength(100);
    expect(error.message).toMatch(/\n\nand 900 more$/);
  });

  it("shows no control or bidirectional characters", () => {
    for (const character of ["\u009b", "\u202e", "\u2028", "\u200b"]) {
      const error = catchError(() => parse(`"k${character}" = "x${character}"`));
      expect(error.message).not.toContain(character);
      expect(error.message).toContain("\ufffd");
    }
    expect(catchError(() => parse('x = "\u001b[31m"')).message).not.toContain("\u001b");
  });

  it("does not show values of the environment", () => {
    const env = { SECRET: "top secret\n" };
    const text = [
      'upstreams = [{ url = "http://user:$' + '{SECRET}@a:99999" }]',
      'admin.token = "$' + '{SECRET}"',
      'healthCheck.headers.Authorization = "$' + '{SECRET}"',
    ].join("\n");
    const error = catchError(() => parseConfig(text, { file: "x.toml", env }));
    expect(error.mistakes).toHaveLength(3);
    expect(error.message).not.toContain("top");
  });

  it.each([
    ["an unknown key", "sever = 1", "1:1"],
    ["a wrong value", "forwarded =  5", "1:14"],
    ["a missing key of an item", 'upstreams = ["http://a", {}]', "1:26"],
    ["a missing key of a header", '[pools.a]\n[pools.b]\n\n  [[routes]]\npath = "/"', "4:5"],
    ["an empty list of upstreams", 'balance = "first"\nupstreams =  []', "2:14"],
    ["a whole table", "upstreams = []\n[tls]\ncert = '''-----BEGIN x'''", "2:2"],
  ])("points at %s", (_, text, place) => {
    expect(places(catchError(() => parse(text)))).toContain(place);
  });

  it("lists mistakes in the order of their lines", () => {
    const error = catchError(() =>
      parse('[[routes]]\npool = "b"\n[pools.a]\nbalance = 1\n[server]\nx = 1\n[admin]\nlisten = ":1"'),
    );
    expect(places(error)).toEqual(["2:8", "4:11", "6:1", "8:10"]);
  });
});
