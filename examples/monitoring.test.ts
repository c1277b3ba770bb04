import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { parseExposition } from "../packages/admin/test/support/exposition.ts";
import { makeFolder, serve } from "../packages/cli/test/support/cli.ts";
import { sendRequest, startUpstream } from "../packages/cli/test/support/http.ts";
import { startDnsServer } from "../packages/core/test/support/dns-server.ts";
import { refusingUrl } from "../packages/core/test/support/refusing-port.ts";
import { hasProgram } from "../packages/core/test/support/server-programs.ts";

const folder = path.join(import.meta.dirname, "monitoring");
const rules = read("alerts.yml");
const cases = read("alerts.test.yml");
const page = readFileSync(path.join(import.meta.dirname, "../docs/observability.md"), "utf8");
const readToken = "may-read";
const certs = path.join(import.meta.dirname, "../packages/cli/test/support/certs");

/** The name and severity of each alert. */
const alerts = [...rules.matchAll(/- alert: (\w+)\n[^]*?severity: (\w+)\n/g)].map(([, name = "", severity = ""]) => ({
  name,
  severity,
}));
/** The expressions of the panels and of the variables of the dashboard, with values for the variables. */
const dashboard = [...read("grafana.json").matchAll(/"(?:expr|definition)": ("(?:[^"\\]|\\.)*")/g)].map(
  ([, text = ""]) =>
    (JSON.parse(text) as string)
      .replaceAll("$__rate_interval", "1m")
      .replaceAll(/\$(?:job|instance|pool)/g, ".*")
      .replace(/^label_values\((.*), \w+\)$/, "$1"),
);
/** The queries of the docs. In a table there is a backslash before `|`. */
const documented = [
  ...section("What to watch").matchAll(/^\|.*\| `(.+)` \|$/gm),
  ...section("Buckets").matchAll(/`(sum\(.+)`$/gm),
].map(([, query = ""]) => query.replaceAll("\\|", "|"));

test.skipIf(!hasProgram("promtool"))("promtool accepts the rules, and each alert fires only in its cases", () => {
  for (const args of [
    ["check", "rules", "alerts.yml"],
    ["test", "rules", "alerts.test.yml"],
  ]) {
    const { status, stdout, stderr } = spawnSync("promtool", args, { cwd: folder, encoding: "utf8" });
    expect(status, stdout + stderr).toBe(0);
  }
});

test("each alert has a case in which it fires and one in which it does not, and is in the docs", () => {
  expect(alerts.length).toBeGreaterThan(15);
  const expected = [...cases.matchAll(/alertname: (\w+)\n {8}exp_alerts:( \[\])?\n/g)];
  for (const { name } of alerts) {
    const kinds = expected.filter(([, alert]) => alert === name).map(([, , none]) => none === undefined);
    expect(new Set(kinds), name).toEqual(new Set([true, false]));
  }
  const rows = [...section("Alerts").matchAll(/^\| `(Evenkeel\w+)` \| (\w+) \|/gm)];
  expect(rows.map(([, name, severity]) => ({ name, severity }))).toEqual(alerts);
});

test("the rules for each window of the error budget differ in nothing else", () => {
  const [, recorded = ""] = /rules:\n([^]*?)\n {2}#/.exec(rules) ?? [];
  const windows = recorded.split(/\n\n+/).filter((part) => part.includes("record:"));
  expect(windows).toHaveLength(7);
  expect(new Set(windows.map((part) => part.replaceAll(/(?<=rate|\[)\d+[mhd]/g, "WINDOW").trim())).size).toBe(1);
});

test.skipIf(!hasProgram("prometheus"))(
  "a real Prometheus scrapes workers, evaluates the rules, and has what the rules, the dashboard and the docs query",
  async () => {
    const good = await startUpstream((req, res) => {
      res.statusCode = req.url === "/fails" ? 500 : 200;
      res.end("ok");
    });
    const dns = await startDnsServer({ "found.test": { a: ["127.0.0.1"], ttl: 60 } });
    const toml = `
      latencyBuckets = ["4ms", "250ms", "2s"]
      [server]
      listen = "127.0.0.1:0"
      workers = 2
      [server.tls]
      cert = "${certs}/localhost.crt"
      key = "${certs}/localhost.key"
      [admin]
      listen = "127.0.0.1:0"
      token = "may-change"
      readToken = "${readToken}"
      [accessLog]
      format = "none"
      [pools.app]
      balance = "round-robin"
      upstreams = [{ id = "a", url = "${good.url}", maxInFlight = 50 }, { id = "b", url = "${await refusingUrl()}" }]
      [pools.gone]
      upstreams = ["${await refusingUrl()}"]
      [pools.gone.healthCheck]
      interval = "100ms"
      unhealthyThreshold = 1
      [pools.found.discovery]
      name = "found.test"
      servers = ["${dns.address}"]
      port = ${new URL(good.url).port}
      [[routes]]
      path = "/gone"
      pool = "gone"
      [[routes]]
      path = "/found"
      pool = "found"
      [[routes]]
      pool = "app"
    `;
    const { url, admin } = await serve(toml);
    const get = async (target: string) => (await sendRequest(url, { path: target })).status;
    for (let round = 0; round < 8; round++) {
      expect(await Promise.all(["/", "/fails", "/gone", "/found"].map(get))).toEqual([200, 500, 502, 200]);
    }

    const prometheus = await startPrometheus(new URL(admin).host);
    const query = async (expression: string): Promise<readonly Series[]> => {
      const found = await prometheus.get(`query?query=${encodeURIComponent(expression)}`);
      expect(found.status, `${expression}: ${found.error}`).toBe("success");
      return (found.data as { result: Series[] }).result;
    };
    // Two scrapes with requests between them, so that there are rates.
    await eventually(async () => (await query("evenkeel_requests_total")).length > 0);
    await Promise.all(["/", "/fails", "/gone", "/found", "/", "/fails"].map(get));
    await eventually(async () => (await query("sum(rate(evenkeel_requests_total[1m])) > 0")).length > 0);
    const expected = ["EvenkeelPoolUnavailable", "EvenkeelUpstreamDown"];
    const { groups } = (await eventually(async () => {
      const { data } = await prometheus.get("rules");
      const states = (data as Rules).groups.flatMap((group) => group.rules);
      return (
        states.every(({ health }) => health !== "unknown") &&
        expected.every((name) => firing(states).includes(name)) &&
        data
      );
    })) as Rules;

    // Every rule was evaluated.
    const evaluated = groups.flatMap((group) => group.rules);
    expect(evaluated.filter(({ health, lastError }) => health !== "ok" || lastError !== undefined)).toEqual([]);
    const evaluatedAlerts = evaluated.filter(({ type }) => type === "alerting").map(({ name }) => name);
    expect(evaluatedAlerts.toSorted()).toEqual(alerts.map(({ name }) => name).toSorted());
    const targets = (await prometheus.get("targets")).data as {
      activeTargets: { health: string; lastError: string }[];
    };
    expect(targets.activeTargets).toMatchObject([{ health: "up", lastError: "" }]);

    // Every query is valid and, but for what does not happen here, has a result.
    expect(dashboard.length).toBeGreaterThan(50);
    expect(documented.length).toBeGreaterThan(5);
    const queries = [...dashboard, ...documented];
    const results = await Promise.all(queries.map(query));
    const empty = new Set(
      queries
        .filter((_, index) => results[index]?.length === 0)
        .map((expression) => /\w+_total(?=[{[])/.exec(expression)?.[0] ?? expression),
    );
    expect([...empty].toSorted()).toEqual(["evenkeel_config_reloads_total", "evenkeel_grpc_calls_total"]);

    // The rules and the dashboard fit other buckets than the default.
    for (const histogram of ["request", "upstream"]) {
      const bounds = await query(`count by (le) (evenkeel_${histogram}_duration_seconds_bucket)`);
      expect(bounds.map(({ metric }) => metric["le"]).toSorted()).toEqual(["+Inf", "0.004", "0.25", "2"]);
    }

    // Every metric and every label of a selector exists.
    const response = await fetch(`${admin}/metrics`, { headers: { authorization: `Bearer ${readToken}` } });
    const text = await response.text();
    const families = parseExposition(text);
    const labels = new Map<string, Set<string>>();
    for (const { samples } of families.values()) {
      for (const sample of samples) labels.set(sample.name, new Set(Object.keys(sample.labels)));
    }
    labels.set("up", new Set());
    labels.set("evenkeel_grpc_calls_total", new Set(["route", "pool", "status"]));
    const all = new Set(["job", "instance", "le", ...[...labels.values()].flatMap((names) => [...names])]);
    for (const expression of [...expressionsOf(rules), ...queries]) {
      for (const [, names = ""] of expression.matchAll(/\b(?:by|on) ?\(([^)]*)\)/g)) {
        expect([...all], expression).toEqual(expect.arrayContaining(names.split(/, ?/)));
      }
      for (const [name, used] of selectors(expression)) {
        const known = labels.get(name);
        expect(known, `${name} in ${expression}`).toBeDefined();
        expect([...(known ?? []), "job", "instance"], `${name} in ${expression}`).toEqual(
          expect.arrayContaining([...used]),
        );
      }
    }
    expect(spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" })).toMatchObject({
      status: 0,
      stderr: "",
    });
  },
);

interface Series {
  readonly metric: Readonly<Record<string, string>>;
}

interface RuleState {
  readonly name: string;
  readonly type: "alerting" | "recording";
  readonly state?: string;
  readonly health: string;
  readonly lastError?: string;
}

interface Rules {
  readonly groups: readonly { readonly rules: readonly RuleState[] }[];
}

function read(name: string): string {
  return readFileSync(path.join(folder, name), "utf8");
}

/** The text of a section of the docs, without its subsections' headings. */
function section(title: string): string {
  return page.split(/^#+ /m).find((part) => part.startsWith(`${title}\n`)) ?? "";
}

function firing(states: readonly RuleState[]): string[] {
  return states.filter(({ state }) => state === "pending" || state === "firing").map(({ name }) => name);
}

function expressionsOf(text: string): string[] {
  return [...text.matchAll(/^ +expr: (?:\|\n((?: {10}.*\n)+)|(.+)$)/gm)].map(([, block, line]) => block ?? line ?? "");
}

/** The metrics of an expression, each with the labels of its selector. Recorded series have a colon, and are skipped. */
function selectors(expression: string): [string, string[]][] {
  const found = expression.matchAll(/(?<![\w:])((?:evenkeel|nodejs|process)_\w+|up)(?![\w:(])(?:\{([^}]*)\})?/g);
  return [...found].map(([, name = "", inside = ""]) => [
    name,
    [...inside.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label = ""]) => label),
  ]);
}

/** Starts Prometheus with the example's configuration, which scrapes the target instead, and as often as it can. */
async function startPrometheus(target: string) {
  const place = makeFolder();
  cpSync(folder, place, { recursive: true });
  const configuration = read("prometheus.yml")
    .replace("127.0.0.1:9090", target)
    .replaceAll("15s", "200ms")
    .replaceAll(/# (?=authorization:| +credentials_file:)/g, "")
    .replace("/etc/prometheus/evenkeel-read-token", "read-token");
  expect(configuration).toContain(`targets: ["${target}"]`);
  writeFileSync(path.join(place, "prometheus.yml"), configuration);
  writeFileSync(path.join(place, "read-token"), readToken);
  const address = `127.0.0.1:${await unusedPort()}`;
  const args = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", `--web.listen-address=${address}`];
  const child: ChildProcess = spawn("prometheus", args, { cwd: place, stdio: ["ignore", "ignore", "pipe"] });
  const exited = once(child, "exit");
  let log = "";
  child.stderr?.on("data", (bytes: Buffer) => {
    log += bytes.toString();
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`prometheus has ended: ${log}`);
    return (await fetch(`http://${address}/-/ready`).catch(() => undefined))?.ok;
  });
  return {
    get: async (resource: string) =>
      (await (await fetch(`http://${address}/api/v1/${resource}`)).json()) as {
        readonly status: string;
        readonly error?: string;
        readonly data: unknown;
      },
  };
}

/** Prometheus does not tell the port that the system has chosen for it. */
async function unusedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Resolves with the first result that counts as true. Prometheus reports nothing by itself. */
async function eventually<T>(look: () => Promise<T>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found) return found;
    await pause(20);
  }
}
