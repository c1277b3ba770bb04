import type { HealthCheckOptions } from "../../src/config/options.ts";
import { resolveHealthCheck } from "../../src/config/resolve.ts";
import { HealthChecker } from "../../src/health/health-checker.ts";
import type { ProbeResult } from "../../src/health/probe.ts";
import { Pool } from "../../src/pool/pool.ts";
import type { Upstream } from "../../src/pool/upstream.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

export const good: ProbeResult = { ok: true, reason: "status 200" };
export const bad: ProbeResult = { ok: false, reason: "status 503" };

export interface LabOptions extends HealthCheckOptions {
  readonly members?: readonly string[];
  /** Random numbers in order, then 0.5, which is no jitter. */
  readonly chance?: number[];
  /** The results of the probes of each upstream: `+`, `-`, or `.` for no response. The last one repeats. */
  readonly answers?: Readonly<Record<string, string>>;
}

/** A pool and a checker with scripted probes, and a record of probes and events with their times. */
export function lab({ members = ["a"], chance = [], answers = {}, ...options }: LabOptions = {}) {
  const clock = new VirtualClock();
  const runtime = { clock, random: () => chance.shift() ?? 0.5 };
  const pool = new Pool("api", { upstreams: members.map(toUpstream) }, runtime);
  const probes: [time: number, upstream: string][] = [];
  const events: [time: number, upstream: string, health: string, reason: string][] = [];
  const sent = new Map<string, number>();
  const open: { id: string; answer(result: ProbeResult): void; signal: AbortSignal }[] = [];

  const check = resolveHealthCheck(options);
  const checker = HealthChecker.resolved(pool, check, runtime, ({ hostname: id }, _check, _tls, { signal }) => {
    probes.push([clock.now(), id]);
    const script = answers[id] ?? "+";
    const count = sent.get(id) ?? 0;
    sent.set(id, count + 1);
    const answer = script[Math.min(count, script.length - 1)];
    if (answer === "+") return Promise.resolve(good);
    if (answer === "-") return Promise.resolve(bad);
    return new Promise((resolve) => open.push({ id, answer: resolve, signal }));
  });
  pool.on("health", ({ upstream, to, reason }) => events.push([clock.now(), upstream, to, reason]));
  const upstream = (id: string) => pool.get(id) as Upstream;
  const fail = (id: string) => pool.begin(upstream(id)).settle("reset");
  return { clock, pool, checker, probes, events, open, upstream, fail };
}

export function toUpstream(id: string): { id: string; url: string } {
  return { id, url: `http://${id}:3000` };
}
