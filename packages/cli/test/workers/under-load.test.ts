/**
 * What may happen to a running command, under load: reloads, changes of weights, killed workers, restarts in place. Only what a
 * killed worker held is lost.
 */

import { writeFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { seededRandom } from "../../../core/src/runtime/seeded-random.ts";
import { type LogRecord, type Serving, serve } from "../support/cli.ts";
import { type CountingUpstream, startCounting } from "../support/counting-upstream.ts";
import { heldConnections } from "../support/held-connections.ts";
import { sendRequest } from "../support/http.ts";
import { MetricsWatch } from "../support/metrics-watch.ts";
import { openEcho, type Sent, TracedLoad } from "../support/traced-load.ts";

const probeMs = 500;
/** In which a client notices that its connection is closed, and after which another connection may have the same port. */
const noticeMs = 2_000;
/** The age of a line of the access log that must have been written, on a busy machine. */
const unwrittenMs = 250;

interface Scenario {
  readonly workers: number;
  readonly kills: number;
  readonly restarts: number;
}

/** A time in which an upstream must get no request. */
interface Pause {
  readonly upstream: string;
  readonly from: number;
  until: number;
}

/** A worker that was killed, with the client's ports of the connections that it held. */
interface Kill {
  /** When it stopped. */
  readonly from: number;
  /** When it was killed. */
  readonly at: number;
  readonly ports: ReadonlySet<number>;
}

interface WorkerView {
  readonly worker: number;
  readonly pid: number;
}

/** What happens to a running command, and what is known about it afterwards. */
class Ordeal {
  readonly pauses: Pause[] = [];
  readonly kills: Kill[] = [];
  /** The present primary. */
  primary: number;
  /** Milliseconds in which two groups of processes ran, of which each probes the upstreams. */
  overlapMs = 0;
  #reloads = 0;
  readonly #served: Serving & { readonly config: string };
  readonly #upstreams: readonly CountingUpstream[];
  readonly #workers: number;
  readonly #random: () => number;

  constructor(
    served: Serving & { readonly config: string },
    upstreams: readonly CountingUpstream[],
    workers: number,
    random: () => number,
  ) {
    this.#served = served;
    this.#upstreams = upstreams;
    this.#workers = workers;
    this.#random = random;
    this.primary = served.child.pid ?? 0;
  }

  readonly reload = async (): Promise<void> => {
    this.#reloads++;
    writeFileSync(this.#served.config, toml(this.#upstreams, this.#workers, this.#reloads));
    process.kill(this.primary, "SIGHUP");
    await this.#served.stderr.manyRecords(this.#reloads, ({ changes }) => changes !== undefined);
  };

  /** Takes the weight of an upstream, or gives it back. */
  readonly changeWeight = async (): Promise<void> => {
    const last = this.pauses.at(-1);
    const paused = last?.until === Infinity ? last : undefined;
    const upstream = paused?.upstream ?? "abc"[Math.floor(this.#random() * 3)] ?? "a";
    if (paused !== undefined) paused.until = performance.now();
    await this.#callAdmin("PATCH", `/api/pools/app/upstreams/${upstream}`, {
      weight: paused === undefined ? 0 : 1 + Math.floor(this.#random() * 3),
    });
    if (paused === undefined) this.pauses.push({ upstream, from: performance.now(), until: Infinity });
  };

  /** Kills a worker that is stopped first, so that it is known what it holds. Resolves when another one serves. */
  readonly kill = async (): Promise<void> => {
    const workers = (await this.#listWorkers()).filter(({ pid }) => pid > 0);
    const { pid, worker } = workers[Math.floor(this.#random() * workers.length)] as WorkerView;
    const from = performance.now();
    process.kill(pid, "SIGSTOP");
    const ports = heldConnections(pid, this.#served.port);
    process.kill(pid, "SIGKILL");
    this.kills.push({ from, at: performance.now(), ports });
    const replaced = async () => {
      const present = (await this.#listWorkers()).find((one) => one.worker === worker);
      return present !== undefined && present.pid > 0 && present.pid !== pid;
    };
    while (!(await replaced()));
  };

  readonly restart = async (): Promise<void> => {
    const from = performance.now();
    const { pid } = JSON.parse(await this.#callAdmin("POST", "/api/restart", {})) as { pid: number };
    this.overlapMs += performance.now() - from;
    this.primary = pid;
  };

  /** Whether a request was one of a killed worker. A client may send one before it notices that its connection is closed. */
  wasKilled({ port = 0, startedAt }: Sent): boolean {
    return this.kills.some(({ at, ports }) => ports.has(port) && startedAt < at + noticeMs);
  }

  /** Whether a killed worker may have had the line of a request in memory. It writes lines after 50 ms at the latest. */
  mayLackLine(sent: Sent): boolean {
    const { endedAt } = sent;
    const atAKill = this.kills.some(({ from, at }) => endedAt > from - unwrittenMs && endedAt < at + unwrittenMs);
    return atAKill || this.wasKilled(sent);
  }

  async #listWorkers(): Promise<readonly WorkerView[]> {
    const { text } = await sendRequest(this.#served.admin, { path: "/api/workers" });
    return (JSON.parse(text) as { workers: readonly WorkerView[] }).workers;
  }

  async #callAdmin(method: string, path: string, change: object): Promise<string> {
    const headers = { "Content-Type": "application/json" };
    const response = await sendRequest(this.#served.admin, { method, path, headers, body: JSON.stringify(change) });
    expect(response).toMatchObject({ status: 200 });
    return response.text;
  }
}

test.each<Scenario>([{ workers: 2, kills: 5, restarts: 3 }])(
  "nothing is lost: $workers workers, $kills kills, $restarts restarts",
  { timeout: 180_000 },
  async (scenario) => {
    const random = seededRandom(15);
    const upstreams = await Promise.all(["a", "b", "c", "d"].map((name) => startCounting(name)));
    const served = await serve(toml(upstreams, scenario.workers, 0));
    const { url, admin, stdout, stderr, ended } = served;
    const metrics = new MetricsWatch(admin, /upstream="d"/);
    const load = new TracedLoad(url, "load");
    load.start("fresh", 4);
    load.start("kept", 8);
    load.start("http2", 2, 4);
    const sockets = await Promise.all(Array.from({ length: 4 }, () => openEcho(url)));
    onTestFinished(() => {
      for (const socket of sockets) socket.close();
    });
    const ordeal = new Ordeal(served, upstreams, scenario.workers, random);
    onTestFinished(() => endProcess(ordeal.primary));
    const { reload, changeWeight, kill, restart } = ordeal;
    const names = new Map(Object.entries({ reload, changeWeight, kill, restart }).map(([name, act]) => [act, name]));
    /** What was done when, for the message of a failure. */
    const history: string[] = [];
    const acts = [
      ...times(10, reload),
      ...times(10, changeWeight),
      ...times(scenario.kills, kill),
      ...times(scenario.restarts, restart),
    ];
    for (const act of shuffled(acts, random)) {
      await load.more(50 + Math.floor(random() * 100));
      const from = Math.round(performance.now());
      await act();
      history.push(`${names.get(act)} ${from} to ${Math.round(performance.now())}`);
    }
    await load.more(200);

    const sent = await load.stop();
    await metrics.stop();
    const open = sockets.filter(({ port }) => !ordeal.kills.some(({ ports }) => ports.has(port)));
    expect(open.map(({ closed }) => closed)).toEqual(open.map(() => undefined));
    for (const socket of sockets) socket.close();
    process.kill(ordeal.primary, "SIGTERM");
    expect(await ended).toEqual({ code: 0, signal: null });

    const outside = sent.filter((one) => !ordeal.wasKilled(one));
    expect(outside.filter(failed), history.join(", ")).toEqual([]);
    expect(sent.filter((one) => ordeal.pauses.some((pause) => breaks(pause, one)))).toEqual([]);
    const [missing, doubled] = wrongLogLines(sent, stdout.records);
    expect(
      missing.filter((one) => !ordeal.mayLackLine(one)),
      history.join(", "),
    ).toEqual([]);
    expect(doubled).toEqual([]);
    expect(metrics.faults).toEqual([]);
    expect(metrics.scrapes).toBeGreaterThan(5);
    // Until it is ready, a new primary probes beside the old one, on a schedule of its own.
    const overlaps = ordeal.overlapMs / probeMs + scenario.restarts;
    for (const { probes } of upstreams.slice(0, 3)) {
      const intervals = ((probes.at(-1) ?? 0) - (probes[0] ?? 0)) / probeMs;
      expect(probes.length).toBeGreaterThan(5);
      expect(probes.length).toBeLessThanOrEqual(intervals + 2 + overlaps);
    }
    expect(unexpected(stderr.records)).toEqual([]);
  },
);

/** Each worker has clients, and counts its own requests only. */
test("an upstream with maxInFlight = 10 gets no more from 200 clients of 4 workers", async () => {
  const slow = await startCounting("a", { delayMs: 5 });
  const served = await serve(`
[server]
listen = "127.0.0.1:0"
workers = 4
[admin]
listen = "127.0.0.1:0"
[pools.app]
queue = { max = 1000, timeout = "30s" }
upstreams = [{ id = "a", url = "${slow.url}", maxInFlight = 10 }]
`);
  const ordeal = new Ordeal(served, [slow], 4, seededRandom(15));
  const load = new TracedLoad(served.url, "many");
  load.start("kept", 200);
  await load.more(1_000);
  expect(slow.mostInFlight).toBe(10);

  // The upstream may get the requests of others before it notices that those of the killed worker are closed.
  await ordeal.kill();
  await load.more(500);
  const sent = await load.stop();
  expect(slow.mostInFlight).toBeLessThanOrEqual(20);
  expect(sent.filter((one) => failed(one) && !ordeal.wasKilled(one))).toEqual([]);

  // A few clients, wherever their connections are: the limit follows the demand.
  const few = new TracedLoad(served.url, "few");
  few.start("kept", 3);
  await few.more(100);
  const rest = await few.stop();
  expect(rest.filter(failed)).toEqual([]);
  served.kill("SIGTERM");
  expect(await served.ended).toEqual({ code: 0, signal: null });
  const [missing, doubled] = wrongLogLines([...sent, ...rest], served.stdout.records);
  expect([missing.filter((one) => !ordeal.mayLackLine(one)), doubled]).toEqual([[], []]);
});

/** The configuration, in two versions: one has a fourth upstream. */
function toml(upstreams: readonly CountingUpstream[], workers: number, version: number): string {
  const members = upstreams
    .slice(0, version % 2 === 0 ? 3 : 4)
    .map(({ name, url }) => `{ id = "${name}", url = "${url}" }`);
  return `
[server]
listen = "127.0.0.1:0"
workers = ${workers}
h2c = true
shutdownTimeout = "60s"
[admin]
listen = "127.0.0.1:0"
[pools.app]
healthCheck = { path = "/healthz", interval = "${probeMs}ms", fastInterval = "${probeMs}ms", jitter = 0 }
upstreams = [${members.join(", ")}]
`;
}

function failed({ status, text, error }: Sent): boolean {
  return error !== undefined || status !== 200 || !/^[a-d] (?:0|20000)$/.test(text);
}

function breaks({ upstream, from, until }: Pause, { startedAt, endedAt, text }: Sent): boolean {
  return text.startsWith(upstream) && startedAt > from && endedAt < until;
}

/** The requests without a line in the access log, and those with more than one. */
function wrongLogLines(sent: readonly Sent[], lines: readonly LogRecord[]): [missing: Sent[], doubled: Sent[]] {
  const counts = new Map<unknown, number>();
  for (const { url } of lines) counts.set(url, (counts.get(url) ?? 0) + 1);
  const countOf = ({ id }: Sent) => counts.get(`/${id}`) ?? 0;
  return [sent.filter((one) => countOf(one) === 0), sent.filter((one) => countOf(one) > 1)];
}

/** The lines of the log that report a fault other than the end of a killed worker. */
function unexpected(lines: readonly LogRecord[]): readonly LogRecord[] {
  return lines.filter(({ level, signal }) => level !== "info" && signal !== "SIGKILL");
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

function times<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value);
}

function shuffled<T>(values: readonly T[], random: () => number): T[] {
  return values
    .map((value) => ({ value, at: random() }))
    .sort((one, other) => one.at - other.at)
    .map(({ value }) => value);
}
