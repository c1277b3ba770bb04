import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { makeFolder, runCli, writeFile } from "./support/cli.ts";
import { anyPort, nowhere, poolOf } from "./support/configs.ts";

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

test("a file that is no TOML ends with 2 and names the line", async () => {
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
});

test("a taken port ends with 1 and one line that names it", async () => {
  const { port } = await listenSomewhere();
  const file = writeFile("config.toml", `[server]\nlisten = ["127.0.0.1:0", "127.0.0.1:${port}"]\n${poolOf(nowhere)}`);
  const { code, stderr } = await runCli(["run", file]);
  expect(code).toBe(1);
  expectOneLine(stderr);
  expect(stderr).toContain(`127.0.0.1:${port}`);
});

test("a taken port of the admin API does so too", async () => {
  const { port } = await listenSomewhere();
  const file = writeFile("config.toml", `${anyPort}[admin]\nlisten = "127.0.0.1:${port}"\n${poolOf(nowhere)}`);
  const { code, stderr } = await runCli(["run", file]);
  expect(code).toBe(1);
  expectOneLine(stderr);
  expect(stderr).toContain(`127.0.0.1:${port}`);
});

test("a regular file in the place of a Unix socket is left alone", async () => {
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
    writeFileSync(path.join(folder, name), readFileSync(path.join(import.meta.dirname, "support/certs", source)));
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
