import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { makeFolder, runCli, writeFile } from "../support/cli.ts";
import { anyPort, nowhere, poolOf } from "../support/configs.ts";

const mistakes = `[server]
lisen = "127.0.0.1:0"
shutdownTimeout = "5 parsecs"

[pools.api]
balance = "p3c"
upstreams = ["http://127.0.0.1:1", "ftp://127.0.0.1"]

[[routes]]
pool = "apii"
`;

test.each(["run", "check"])(
  "%s ends with 2 for a wrong configuration and names every mistake by its line",
  async (command) => {
    const file = writeFile("wrong.toml", mistakes);
    const { code, stderr, stdout } = await runCli([command, file]);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    for (const line of [2, 3, 6, 7, 10]) expect(stderr).toMatch(new RegExp(`wrong\\.toml:${line}:\\d+`));
    expect(stderr).toContain('did you mean "listen"?');
    expect(stderr).not.toContain("    at ");
  },
);

test("malformed TOML ends with 2 and names the line", async () => {
  const { code, stderr } = await runCli([writeFile("no.toml", "[server]\nlisten = \n")]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/no\.toml:2:\d+/);
});

test.each([[["run", "nope.toml"]], [["check", "nope.toml"]], [["nope.toml"]], [[]]])(
  "%j without such a file ends with 1 and one line",
  async (args) => {
    const { code, stderr } = await runCli(args, { cwd: makeFolder() });
    expect(code).toBe(1);
    expectOneLine(stderr);
    expect(stderr).toContain(args.length === 0 ? "config.toml" : "nope.toml");
  },
);

test("a mistyped command is recognised", async () => {
  const { code, stderr } = await runCli(["chekc"], { cwd: makeFolder() });
  expect(code).toBe(1);
  expect(stderr).toContain('did you mean "check"?');
  // The command of workers is an internal one.
  expect((await runCli(["workers"])).stderr).not.toContain("did you mean");
});

test("a taken port ends with 1 and one line that names it", async () => {
  const { port } = await listenSomewhere();
  const file = writeFile("config.toml", `[server]\nlisten = ["127.0.0.1:0", "127.0.0.1:${port}"]\n${poolOf(nowhere)}`);
  const { code, stderr } = await runCli(["run", file]);
  expect(code).toBe(1);
  expectOneLine(stderr);
  expect(stderr).toContain(`127.0.0.1:${port}`);
});

test("a taken port of the admin API ends with 1 too", async () => {
  const { port } = await listenSomewhere();
  const file = writeFile("config.toml", `${anyPort}[admin]\nlisten = "127.0.0.1:${port}"\n${poolOf(nowhere)}`);
  const { code, stderr } = await runCli(["run", file]);
  expect(code).toBe(1);
  expectOneLine(stderr);
  expect(stderr).toContain(`127.0.0.1:${port}`);
});

test("a regular file at the path of a Unix socket is not removed", async () => {
  const file = writeFile("precious", "text");
  const config = writeFile("config.toml", `[server]\nlisten = "unix:${file}"\n${poolOf(nowhere)}`);
  const { code, stderr } = await runCli(["run", config]);
  expect(code).toBe(1);
  expectOneLine(stderr);
  expect(readFileSync(file, "utf8")).toBe("text");
});

test.each([
  ["missing.pem", "site.key", "missing.pem"],
  ["site.pem", "missing.key", "missing.key"],
  ["config.toml", "site.key", "config.toml"],
  ["site.pem", "config.toml", "config.toml"],
])("the certificate %s with the key %s ends with 1 and one line", async (cert, key, named) => {
  const folder = makeFolder();
  for (const [name, source] of [
    ["site.pem", "localhost.crt"],
    ["site.key", "localhost.key"],
  ] as const) {
    writeFileSync(path.join(folder, name), readFileSync(path.join(import.meta.dirname, "../support/certs", source)));
  }
  const file = path.join(folder, "config.toml");
  writeFileSync(file, `${anyPort}[server.tls]\ncert = "${cert}"\nkey = "${key}"\n${poolOf(nowhere)}`);
  for (const command of ["run", "check"]) {
    const { code, stderr } = await runCli([command, file]);
    expect(code).toBe(1);
    expectOneLine(stderr);
    expect(stderr).toContain(path.join(folder, named));
  }
});

test("an access log that cannot be opened ends with 1 and one line", async () => {
  const file = writeFile("config.toml", `${anyPort}[accessLog]\npath = "no/such/folder.log"\n${poolOf(nowhere)}`);
  const { code, stderr } = await runCli(["run", file]);
  expect(code).toBe(1);
  expectOneLine(stderr);
  expect(stderr).toContain("no/such/folder.log");
});

test.each([
  ["a FIFO", "fifo", /is a pipe/],
  ["a directory", "folder", /directory/],
  ["a device", "/dev/full", /is a device/],
  ["a socket", "app.sock", /is a socket/],
])("%s instead of any file ends with 1 and one line, and does not block", async (_what, name, reason) => {
  const folder = makeFolder();
  execFileSync("mkfifo", [path.join(folder, "fifo")]);
  mkdirSync(path.join(folder, "folder"));
  const server = createServer().listen(path.join(folder, "app.sock"));
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const odd = path.resolve(folder, name);
  for (const [key, source] of [
    ["cert", "localhost.crt"],
    ["key", "localhost.key"],
  ] as const) {
    writeFileSync(path.join(folder, key), readFileSync(path.join(import.meta.dirname, "../support/certs", source)));
  }
  const withTls = (cert: string, key: string) => `${anyPort}[server.tls]\ncert = "${cert}"\nkey = "${key}"\n`;
  const configs = [
    withTls(odd, "key") + poolOf(nowhere),
    withTls("cert", odd) + poolOf(nowhere),
    `${anyPort}[accessLog]\npath = "${odd}"\n${poolOf(nowhere)}`,
  ].map((text, index) => {
    const file = path.join(folder, `${index}.toml`);
    writeFileSync(file, text);
    return file;
  });
  for (const file of [odd, ...configs]) {
    const { code, stderr } = await runCli(["run", file]);
    expect([file, code]).toEqual([file, 1]);
    expectOneLine(stderr);
    expect(stderr).toContain(odd);
    expect(stderr).toMatch(reason);
  }
});

test("check reports the same error for an access log as run", async () => {
  const folder = makeFolder();
  const file = writeFile("config.toml", `${anyPort}[accessLog]\npath = "${folder}"\n${poolOf(nowhere)}`);
  const [checked, run] = await Promise.all([runCli(["check", file]), runCli(["run", file])]);
  expect(checked.code).toBe(1);
  expect(checked.stderr).toBe(run.stderr);
});

test("an unknown option ends with 1", async () => {
  expect((await runCli(["run", "--wach"])).code).toBe(1);
});

function expectOneLine(text: string): void {
  expect(text.trimEnd().split("\n")).toHaveLength(1);
}

async function listenSomewhere(): Promise<AddressInfo> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return server.address() as AddressInfo;
}
