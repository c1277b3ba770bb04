import type { OutlierDetectionOptions, PoolOptions } from "../../src/config/options.ts";
import { resolvePool } from "../../src/config/resolve.ts";
import { ManagedPool } from "../../src/managed-pool.ts";
import type { Attempt } from "../../src/pool/attempt.ts";
import type { Pool } from "../../src/pool/pool.ts";
import type { Outcome } from "../../src/pool/upstream.ts";
import { type MemberSketch, memberOf, upstreamsOf } from "../support/pools.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

type Settings = Omit<PoolOptions, "upstreams" | "outlierDetection">;

interface LabOptions extends Settings {
  readonly members?: Readonly<Record<string, MemberSketch>>;
  /** The value of each random number. Default: 0, which is no jitter. */
  readonly chance?: number;
}

/** A managed pool with its detector on virtual time, and a log of ejections and readmissions with their times. */
export function outlierLab(
  detection: false | OutlierDetectionOptions = {},
  { members = { a: 1, b: 1, c: 1, d: 1 }, chance = 0, ...settings }: LabOptions = {},
) {
  const clock = new VirtualClock();
  const runtime = { clock, random: () => chance };
  const resolve = (
    outlierDetection: false | OutlierDetectionOptions,
    upstreams: Readonly<Record<string, MemberSketch>> = members,
    others: Settings = settings,
  ) => resolvePool({ ...others, outlierDetection, upstreams: upstreamsOf(upstreams) });
  const managed = new ManagedPool("api", resolve(detection), runtime);
  const { pool } = managed;
  const log: string[] = [];
  const seconds = () => clock.now() / 1_000;
  pool.on("eject", ({ upstream, reason, forMs }) => {
    log.push(`${seconds()}s ${upstream} out for ${forMs / 1_000}s: ${reason}`);
  });
  pool.on("readmit", ({ upstream, reason }) => log.push(`${seconds()}s ${upstream} in: ${reason}`));
  const begin = (id: string) => pool.begin(memberOf(pool, id));
  return {
    clock,
    pool,
    managed,
    log,
    begin,
    end,
    /** Sends a number of sequential attempts. */
    send(id: string, outcome: Outcome | number, times = 1) {
      for (let count = 0; count < times; count++) end(begin(id), outcome);
    },
    reload: (...args: Parameters<typeof resolve>) => managed.reconfigure(resolve(...args)),
    isOut: (id: string) => memberOf(pool, id).ejectedUntil !== undefined,
    ids: (upstreams: Pool["upstreams"]) => upstreams.map(({ id }) => id).join(),
  };
}

/** Ends an attempt with a status, or with an outcome before any response. */
export function end(attempt: Attempt, outcome: Outcome | number): void {
  const status = outcome === "success" ? 200 : outcome;
  if (typeof status === "number") attempt.responded(1, status);
  attempt.settle(typeof outcome === "number" ? "success" : outcome);
}
