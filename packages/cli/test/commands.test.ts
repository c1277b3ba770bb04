import { createHmac } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { starterConfig } from "../src/starter-config.ts";
import { version } from "../src/version.ts";
import { makeFolder, publishedBin, runCli, serve, writeFile } from "./support/cli.ts";
import { anyPort, nowhere, poolOf, withAdmin } from "./support/configs.ts";
import { sendRequest, startUpstream } from "./support/http.ts";
import { poolOf as hostilePool, overviewOf, upstreamOf } from "./support/overviews.ts";

const commands = [
  "run",
  "check",
  "init",
  "demo",
  "status",
  "top",
  "failures",
  "config",
  "weight",
  "drain",
  "enable",
  "disable",
  "reload",
  "restart",
  "explain",
  "simulate",
];

test("every command has a --help and a --version", async () => {
  expect(version).toBe(packageJson.version);
  const [whole] = await Promise.all([
    runCli(["--help"], { bin: publishedBin }),
    ...[[], ...commands.map((command) => [command])].map(async (command) => {
      expect(await runCli([...command, "--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
      const help = await runCli([...command, "--help"]);
      expect(help).toMatchObject({ code: 0, stderr: "" });
      expect(help.stdout).toContain(`Usage: evenkeel ${command.join("")}`);
    }),
  ]);
  for (const command of commands) expect(whole.stdout).toContain(`\n  ${command} `);
});

test("a token in the environment is not printed by --help", async () => {
  const { stdout } = await runCli(["status", "--help"], { env: { EVENKEEL_TOKEN: "secret-token" } });
  expect(stdout).toContain("EVENKEEL_TOKEN");
  expect(stdout).not.toContain("secret-token");
});

test("init writes a file that check accepts, and never writes over one", async () => {
  const cwd = makeFolder();
  expect((await runCli(["init"], { cwd })).code).toBe(0);
  const file = path.join(cwd, "config.toml");
  expect(readFileSync(file, "utf8")).toBe(starterConfig);
  expect(await runCli(["check"], { cwd })).toMatchObject({ code: 0, stderr: "" });

  writeFileSync(file, "mine");
  const again = await runCli(["init"], { cwd });
  expect(again.code).toBe(1);
  expect(again.stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(readFileSync(file, "utf8")).toBe("mine");
});

test("init points editors to the schema if the project has it", async () => {
  const cwd = makeFolder();
  const folder = path.join(cwd, "node_modules/@evenkeel/config");
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "schema.json"), "{}");
  expect((await runCli(["init"], { cwd })).code).toBe(0);
  const text = readFileSync(path.join(cwd, "config.toml"), "utf8");
  expect(text).toBe(`#:schema ./node_modules/@evenkeel/config/schema.json\n${starterConfig}`);
});

test("init reports in one line that it cannot write", async () => {
  const { code, stderr } = await runCli(["init", "no/such/folder.toml"], { cwd: makeFolder() });
  expect(code).toBe(1);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

test("every setting in the starter configuration is valid", async () => {
  const everything = starterConfig.replace(/^#(?=\[|[a-zA-Z]+ = )/gm, "");
  expect(everything.match(/^[[a-z]/gim)?.length).toBeGreaterThan(80);
  const file = writeFile("config.toml", everything);
  const certs = path.join(path.dirname(file), "certs");
  mkdirSync(certs);
  for (const name of ["site.pem", "other.pem", "client.pem", "ca.pem"])
    copyCert("localhost.crt", path.join(certs, name));
  for (const name of ["site.key", "other.key", "client.key"]) copyCert("localhost.key", path.join(certs, name));
  expect(await runCli(["check", file])).toMatchObject({ code: 0, stderr: "" });
});

test("check prints warnings and mistakes as JSON", async () => {
  const cwd = makeFolder();
  const check = async (text: string) => {
    writeFileSync(path.join(cwd, "config.toml"), text);
    const { code, stdout, stderr } = await runCli(["check", "--json"], { cwd });
    expect(stderr).toBe("");
    return { code, document: JSON.parse(stdout) as unknown };
  };
  const upstreams = 'upstreams = ["https://127.0.0.1:1"]\n';
  const valid = { valid: true, file: "config.toml", warnings: [expect.stringContaining("tls.verify = false")] };
  expect(await check(`${upstreams}tls = { verify = false }`)).toEqual({ code: 0, document: valid });
  const mistake = { line: 2, column: 1, path: ["balanse"], message: expect.stringContaining('did you mean "balance"') };
  expect(await check(`${upstreams}balanse = "p2c"`)).toEqual({
    code: 2,
    document: { error: { code: "invalid_options", message: expect.any(String), mistakes: [mistake] } },
  });
  expect(await check("upstreams = [")).toMatchObject({ code: 2, document: { error: { code: "syntax" } } });
});

test("check prints listeners, routes and pools", async () => {
  const file = writeFile(
    "config.toml",
    `[server]
listen = ["127.0.0.1:8080", "unix:/run/evenkeel.sock"]
[admin]
token = "secret-token"
readToken = "other-token"
[accessLog]
format = "none"
[[routes]]
host = "*.example.com"
path = "/api"
methods = ["GET", "POST"]
pool = "api"
[[routes]]
pool = "web"
[defaults]
balance = "least-requests"
[pools.api]
balance = "round-robin"
healthCheck = { path = "/healthz" }
upstreams = [{ id = "a", url = "http://127.0.0.1:3001", weight = 3 }, "http://127.0.0.1:3002"]
[pools.web]
upstreams = [{ url = "http://127.0.0.1:3003", backup = true, maxInFlight = 7 }]
discovery = { type = "srv", name = "_http._tcp.web.internal" }
`,
  );
  const { code, stdout } = await runCli(["check", file]);
  expect(code).toBe(0);
  expect(stdout).not.toMatch(/secret-token|other-token/);
  expect(stdout.replace(file, "config.toml")).toBe(`config.toml is valid.

listen      http on 127.0.0.1:8080, http on unix:/run/evenkeel.sock
admin       on 127.0.0.1:9090, with a token, and one that may only read
access log  off

routes, the first match wins
  *.example.com  GET POST /api, /api/*  ->  api
  *  /*  ->  web

pool api: round-robin, GET /healthz every 5s
  a  http://127.0.0.1:3001, weight 3
  127.0.0.1:3002  http://127.0.0.1:3002, weight 1

pool web: least-requests, no health checks
  127.0.0.1:3003  http://127.0.0.1:3003, weight 1, backup, at most 7 in flight
  the upstreams in SRV records of _http._tcp.web.internal, looked up every 30s
`);
});

test("the admin commands show and change a running proxy", async () => {
  const [a, b] = await Promise.all(["a", "b"].map((name) => startUpstream((_req, res) => res.end(name))));
  const token = "open-sesame";
  const toml = `${anyPort}${withAdmin}token = "${token}"\n${poolOf(String(a?.url), String(b?.url))}`;
  const { url, admin, config } = await serve(toml);
  const remote = (...args: string[]) => runCli([...args, "--admin", admin], { env: { EVENKEEL_TOKEN: token } });
  const turns = async () =>
    (await Promise.all([1, 2, 3, 4].map(() => sendRequest(url)))).map(({ text }) => text).sort();

  const status = await remote("status");
  expect(status).toMatchObject({ code: 0, stderr: "" });
  expect(status.stdout).toMatch(/^evenkeel \S+, up \d+s, 0 of \d+ connections\n\nall healthy\n/);
  expect(status.stdout).toMatch(
    /^UPSTREAM +STATUS +SINCE +REQ\/S +ERRORS +P50 +P99 +IN FLIGHT +WEIGHT +TUNNELS +URL +REASON$/m,
  );
  expect(status.stdout).not.toContain("WORKER");
  expect(status.stdout).toMatch(/^app\/a +unchecked +\d+s ago .* 1 +http:/m);
  expect((await runCli(["status", "--admin", admin, "--token", "wrong"])).code).toBe(1);

  expect((await remote("weight", "app/a", "3")).code).toBe(0);
  expect(await turns()).toEqual(["a", "a", "a", "b"]);
  expect((await remote("drain", "app/a", "--timeout", "5m")).code).toBe(0);
  expect(await turns()).toEqual(["b", "b", "b", "b"]);
  expect((await remote("enable", "app/a")).code).toBe(0);
  expect((await remote("disable", "app/b")).code).toBe(0);
  expect(await turns()).toEqual(["a", "a", "a", "a"]);
  expect((await remote("status")).stdout).toMatch(/^app\/b +disabled .* set by an operator$/m);

  writeFileSync(config, toml.replace("round-robin", "random"));
  const reload = await remote("reload");
  expect(reload).toMatchObject({ code: 0, stderr: "" });
  expect(reload.stdout).toContain("pools changed: app");
  writeFileSync(config, toml.replace("round-robin", "chance"));
  const refused = await remote("reload");
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/config\.toml:\d+:\d+/);
});

test("explain prints how a running proxy would handle a request", async () => {
  const toml = `${anyPort}${withAdmin}[[routes]]
host = "shop.example"
path = "/api"
pool = "app"
stripPrefix = true
${poolOf("http://127.0.0.1:1/base", "http://127.0.0.1:2")}`;
  const { admin } = await serve(toml);
  const explain = (...args: string[]) => runCli(["explain", ...args, "--admin", admin]);
  expect((await runCli(["drain", "app/b", "--admin", admin])).code).toBe(0);
  const { stdout } = await explain("http://shop.example/api/x?y=1", "--client", "192.0.2.1");
  // The wording of a policy's reasons is not tested here.
  expect(
    stdout.replace(/(?<=^a {2}100 % {2}).*$/m, "..."),
  ).toBe(`GET http://shop.example/api/x?y=1, Host shop.example, from 192.0.2.1

    ROUTE               POOL  WHY
->  shop.example/api/*  app   taken

pool app, round-robin: 1 upstream may be picked

a  100 %  ...
    + it is active
    + 0 in flight, without a limit
    gets /base/x?y=1, Host shop.example
b  not now  it is draining: it finishes requests in flight, and takes no new ones
    - it is draining: it finishes requests in flight, and takes no new ones
    + 0 in flight, without a limit
    gets /x?y=1, Host shop.example
`);
  const refused = await explain("/api", "--host", "else.example", "--header", "X-User: 7", "--header", "X-Team: 8");
  expect(refused.stdout).toContain("else.example is not shop.example");
  expect(refused.stdout).toContain("response 404 (no_route): no route matches");
  expect(JSON.parse((await explain("/api", "--json")).stdout)).toMatchObject({ refusal: { code: "no_route" } });
  expect((await explain("/api", "--header", "nonsense")).code).toBe(1);
});

test("explain prints the upstream of a sticky cookie", async () => {
  const sticky = '[pools.app.sticky]\nsecret = "open-sesame"\n';
  const { admin } = await serve(`${anyPort}${withAdmin}${poolOf("http://127.0.0.1:1", "http://127.0.0.1:2")}${sticky}`);
  expect((await runCli(["drain", "app/b", "--admin", admin])).code).toBe(0);
  const value = createHmac("sha256", "open-sesame").update('["app","b"]').digest("base64url");
  const { stdout } = await runCli(["explain", "/", "--header", `Cookie: evenkeel=${value}`, "--admin", admin]);
  expect(stdout).toContain("pool app, round-robin: the client is bound to b, so the policy does not pick\n");
  expect(stdout).toContain("cookie evenkeel: the client is bound to b, so the policy does not pick\n");
  expect(stdout).toMatch(/^a {2}0 % {2}the client is bound to b$/m);
  expect(stdout).toMatch(/^b {2}100 % {2}the client is bound to this upstream$/m);
});

test("invalid admin commands end with 1 and one line", async () => {
  const { admin } = await serve(`${anyPort}${withAdmin}${poolOf(nowhere)}`);
  const senseless = [
    ["weight", "app/a", "many"],
    ["weight", "app/a", "999"],
    ["weight", "app", "1"],
    ["drain", "app/zzz"],
    ["drain", "app/a", "--timeout", "soon"],
    ["enable", "app/a", "--timeout", "5m"],
    ["enable", "zzz/a"],
  ];
  for (const args of senseless) {
    const { code, stderr } = await runCli([...args, "--admin", admin]);
    expect(code, args.join(" ")).toBe(1);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  }
});

test("admin commands work over a Unix socket, without a token", async () => {
  const socket = path.join(makeFolder(), "admin.sock");
  const { admin } = await serve(`${anyPort}[admin]\nlisten = "unix:${socket}"\n${poolOf(nowhere)}`);
  expect(admin).toBe(`unix:${socket}`);
  expect((await runCli(["status", "--admin", admin])).stdout).toContain("app/a");
  expect((await runCli(["weight", "app/a", "7", "--admin", admin])).stdout).toBe("app/a has weight 7\n");
});

test("the errors for a wrong token and for a missing one differ", async () => {
  const { admin } = await serve(`${anyPort}${withAdmin}token = "right"\n${poolOf(nowhere)}`);
  expect((await runCli(["status", "--admin", admin])).stderr).toBe(
    'evenkeel: send the header "authorization: Bearer" with the admin API\'s token (see --token)\n',
  );
  expect((await runCli(["status", "--admin", admin, "--token", "wrong"])).stderr).toBe(
    "evenkeel: the bearer token is not the token of the admin API (see --token)\n",
  );
});

test.each(["http://127.0.0.1:1", "127.0.0.1:1", "unix:/no/such.sock", "not a url"])(
  "an admin API at %s is not reached",
  async (admin) => {
    const { code, stderr } = await runCli(["status", "--admin", admin]);
    expect(code).toBe(1);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toContain(admin);
  },
);

test("a response of another server is reported, and its control characters do not reach the terminal", async () => {
  const page = await startUpstream((_req, res) => res.end("<h1>hello</h1>"));
  expect((await runCli(["status", "--admin", page.url])).code).toBe(1);
  let hostile: unknown = overviewOf([hostilePool("\u001b[2J", [upstreamOf("a\n", { reason: "\u009b2J" })])]);
  const other = await startUpstream((_req, res) => {
    const isError = (hostile as { error?: unknown } | null)?.error !== undefined;
    res.writeHead(isError ? 404 : 200).end(JSON.stringify(hostile));
  });
  const { stdout, stderr } = await runCli(["status", "--admin", other.url]);
  expect(stdout).toContain("\\x1b[2J/a\\x0a ");
  expect(stdout + stderr).not.toMatch(/(?!\n)\p{Cc}/u);
  const ofProxy = { error: { code: "no_route", message: "Not Found" } };
  for (const malformed of [null, [], { pools: [null], problems: [], traffic: {}, time: 1 }, { pools: 1 }, ofProxy]) {
    hostile = malformed;
    expect(await runCli(["status", "--admin", other.url])).toEqual({
      code: 1,
      stdout: "",
      stderr: "evenkeel: the response does not come from an admin API; check the port in --admin\n",
    });
  }
});

function copyCert(source: string, to: string): void {
  writeFileSync(to, readFileSync(path.join(import.meta.dirname, "support/certs", source)));
}

test("every admin command prints JSON with --json, errors too", async () => {
  const app = await startUpstream((_req, res) => res.writeHead(500).end());
  const { url, admin } = await serve(`${anyPort}${withAdmin}${poolOf(app.url)}`);
  await sendRequest(url, { path: "/cart?secret=1" });
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli([...args, "--admin", admin, "--json"]);
    expect(stderr, args.join(" ")).toBe("");
    return { code, ...(JSON.parse(stdout) as Record<string, never>) };
  };
  expect(await run("status")).toMatchObject({
    code: 0,
    problems: [],
    pools: [{ name: "app", upstreams: [{ id: "a" }] }],
  });
  expect(await run("failures")).toMatchObject({ code: 0, failures: [{ method: "GET", path: "/cart", status: 500 }] });
  expect(await run("config")).toMatchObject({
    code: 0,
    config: { server: { shutdownTimeout: "30s" }, accessLog: { path: "stdout" } },
  });
  expect(await run("weight", "app/a", "3")).toMatchObject({ code: 0, id: "a", weight: 3 });
  expect(await run("drain", "app/a")).toMatchObject({ code: 0, state: "draining" });
  expect(await run("enable", "app/a")).toMatchObject({ code: 0, state: "active" });
  expect(await run("reload")).toMatchObject({ code: 0, pools: { changed: [] } });
  expect(await run("explain", "/")).toMatchObject({ code: 0, pool: { name: "app" } });
  expect(await run("drain", "app/b")).toMatchObject({ code: 1, error: { code: "unknown_upstream" } });
  expect(await run("weight", "app/a", "many")).toMatchObject({ code: 1, error: { code: "bad_argument" } });

  const failures = await runCli(["failures", "--admin", admin]);
  expect(failures.stdout).toMatch(/^\d{4}-\d\d-\d\dT\S+Z +500 .* GET \S+\/cart +\S+$/m);
  const config = await runCli(["config", "--admin", admin]);
  expect(config.stdout).toContain('[server]\nlisten = [ "127.0.0.1:0" ]\n');
  expect(config).toMatchObject({ code: 0, stderr: "" });
  const checked = await runCli(["check", writeFile("effective.toml", config.stdout)]);
  expect(checked).toMatchObject({ code: 0, stderr: "" });
  expect(checked.stdout).toContain(`a  ${app.url}, weight 1`);
});

test("status and the log show which upstream is ejected, and for how long", async () => {
  const [down, up] = [
    await startUpstream((_req, res) => res.writeHead(503).end()),
    await startUpstream((_req, res) => res.end("b")),
  ];
  const detection = "[pools.app.outlierDetection]\nconsecutiveFailures = 1\n";
  const toml = `${anyPort}${withAdmin}${poolOf(down.url, up.url)}\n${detection}`;
  const { url, admin, stderr } = await serve(toml);
  for (let request = 0; request < 2; request++) await sendRequest(url);
  const ejection = await stderr.record(({ msg }) => String(msg).includes("ejected"));
  expect(ejection).toMatchObject({ pool: "app", upstream: "a", reason: "consecutive-failures", level: "warn" });
  const { stdout } = await runCli(["status", "--admin", admin]);
  expect(stdout).toMatch(/^app\/a +ejected +\d+s ago .* consecutive-failures \(status 503\), until \d\d:\d\d:\d\dZ$/m);
  expect(stdout).toMatch(/^ {2}\w+ +app\/a is ejected: consecutive-failures/m);
});
