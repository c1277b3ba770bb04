import { limits } from "../config/defaults.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";
import type { Reason, ReasonCode } from "./explanation.ts";

/** Lists the reasons for and against picking an upstream, and the factors of its share. */
export function reasonsOf(upstream: Upstream, pool: Pool): Reason[] {
  return [
    ofState(upstream),
    ofHealth(upstream, pool),
    ofHold(upstream),
    ofEjection(upstream),
    ofRoom(upstream),
    ofWeight(upstream),
    ofTier(upstream, pool),
    ofPanic(upstream, pool),
    ...ofShare(upstream, pool),
  ].filter((reason) => reason !== undefined);
}

function ofState({ state }: Upstream): Reason {
  if (state === "active") return pro("active", "it is active");
  if (state === "draining")
    return con("draining", "it is draining: it finishes requests in flight, and takes no new ones");
  return con("disabled", "it is disabled");
}

function ofHealth({ health, verdict }: Upstream, { options }: Pool): Reason | undefined {
  const seen = verdict === undefined ? "" : ` since ${toTime(verdict.at)}: ${verdict.reason}`;
  if (health === "unhealthy") return con("unhealthy", `probes find it unhealthy${seen}`);
  if (health === "healthy") return pro("healthy", `probes find it healthy${seen}`);
  return options.healthCheck && pro("unchecked", "probes have no verdict yet, which counts as healthy");
}

function ofHold({ held }: Upstream): Reason | undefined {
  return held ? con("held", "it is held until its first probe succeeds") : undefined;
}

function ofEjection({ ejectedUntil, ejectedFor, onTrial, trialInFlight }: Upstream): Reason | undefined {
  if (ejectedUntil === undefined) return undefined;
  const why = ejectedFor === undefined ? "" : ` for ${ejectedFor}`;
  if (!onTrial) return con("ejected", `it is ejected${why} until ${toTime(ejectedUntil)}`);
  if (trialInFlight) return con("on-trial", `it was ejected${why}, and its one trial request is in flight`);
  return pro("on-trial", `it was ejected${why}, and may take one trial request`);
}

function ofRoom({ inFlight, tunnels, maxInFlight, inFlightShare, slowStart, full, onTrial }: Upstream): Reason {
  const open = tunnels === 0 ? "" : `, ${tunnels} of them ${tunnels === 1 ? "an open tunnel" : "open tunnels"}`;
  if (maxInFlight === Infinity) return pro("has-room", `${inFlight} in flight${open}, without a limit`);
  const ramp = slowStart < 1 ? `, of which slow start allows ${percent(slowStart)}` : "";
  const limit = inFlightShare ?? maxInFlight;
  const whole = inFlightShare === undefined ? "" : `, this process's share of ${maxInFlight}`;
  const load = `${inFlight} of ${limit} in flight${whole}${open}${ramp}`;
  return full && !(onTrial && inFlight < limit) ? con("full", load) : pro("has-room", load);
}

function ofWeight({ weight }: Upstream): Reason | undefined {
  return weight === 0 ? con("weight-zero", "weight 0 takes no new clients") : undefined;
}

function ofTier({ tier, available }: Upstream, { candidates, panic }: Pool): Reason | undefined {
  const better = candidates.find((other) => other.tier < tier);
  if (tier === 0 || (better === undefined && !available)) return undefined;
  if (better === undefined) return pro("backup", "it is a backup, and no primary is available");
  return panic ? undefined : con("backup", `it is a backup, and ${better.id} is available`);
}

function ofPanic(upstream: Upstream, { candidates, panic }: Pool): Reason | undefined {
  if (!panic || !candidates.includes(upstream)) return undefined;
  return pro("panic", "no upstream is available, so unhealthy and ejected ones are used");
}

function ofShare({ slowStart, feedback, announced }: Upstream, { options }: Pool): (Reason | undefined)[] {
  const windowMs = options.slowStart?.windowMs ?? 0;
  return [
    slowStart < 1
      ? share("slow-start", `slow start: ${percent(slowStart)} of its weight, all of it after ${windowMs / 1_000} s`)
      : undefined,
    feedback < 1
      ? share(
          "feedback",
          `it is slower or fails more often than the rest of the pool: ${percent(feedback)} of its weight`,
        )
      : undefined,
    announced < 1
      ? share(
          "announced",
          `it announces a load: ${percent(announced)} of its weight, at least ${percent(limits.announcedFloor)}`,
        )
      : undefined,
  ];
}

function pro(code: ReasonCode, text: string): Reason {
  return { code, speaks: "for", text };
}

function con(code: ReasonCode, text: string): Reason {
  return { code, speaks: "against", text };
}

function share(code: ReasonCode, text: string): Reason {
  return { code, speaks: "share", text };
}

function toTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

function percent(factor: number): string {
  return `${Math.round(factor * 1_000) / 10} %`;
}
