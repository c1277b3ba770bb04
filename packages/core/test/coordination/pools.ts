import type { PoolOptions } from "../../src/config/options.ts";
import { resolvePool } from "../../src/config/resolve.ts";
import type { SharedState } from "../../src/coordination/shared-state.ts";
import type { ProbeResult } from "../../src/health/probe.ts";
import { ManagedPool } from "../../src/managed-pool.ts";
import type { Pool } from "../../src/pool/pool.ts";
import type { Outcome } from "../../src/pool/upstream.ts";
import { memberOf, upstreamsOf } from "../support/pools.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { Group } from "./group.ts";

export interface Participant {
  readonly state: SharedState;
  readonly managed: ManagedPool;
  readonly pool: Pool;
  readonly events: [id: string, health: string, reason: string][];
  reload(settings: Settings, weights?: Weights): void;
  /** A request of this participant with this outcome. */
  request(id: string, outcome?: Outcome): void;
}

type Settings = Omit<PoolOptions, "upstreams">;
type Weights = Readonly<Record<string, number>>;

/** Participants with one pool each, on virtual time. Probes get what `results` says for their upstream. */
export class PoolGroup extends Group {
  readonly probes: [time: number, participant: string, upstream: string][] = [];
  /** By participant and upstream, or by upstream. */
  readonly results: { a?: ProbeResult; b?: ProbeResult; [participantAndUpstream: string]: ProbeResult | undefined } =
    {};
  readonly #settings: Settings;
  readonly #weights: Weights;

  constructor(settings: Settings, weights: Weights = { a: 1, b: 1 }, random = seededRandom()) {
    super(random);
    this.#settings = { outlierDetection: false, ...settings };
    this.#weights = weights;
  }

  add(self: string, isProber?: (id: string) => boolean, weights = this.#weights): Participant {
    const state = this.join(self, isProber && { isProber: (_, id) => isProber(id) });
    const runtime = { clock: this.clock, random: seededRandom(this.states.size) };
    const resolve = (settings: Settings, ids: Weights) =>
      resolvePool({ ...this.#settings, ...settings, upstreams: upstreamsOf(ids) });
    const probe = ({ hostname }: { readonly hostname: string }) => {
      const id = hostname.split(".")[0] ?? "";
      this.probes.push([this.clock.now(), self, id]);
      return Promise.resolve(this.results[`${self} ${id}`] ?? this.results[id] ?? { ok: true, reason: "status 200" });
    };
    const managed = new ManagedPool("api", resolve({}, weights), runtime, { probe, coordination: state });
    const { pool } = managed;
    const events: Participant["events"] = [];
    pool.on("health", ({ upstream, to, reason }) => events.push([upstream, to, reason]));
    return {
      ...{ state, managed, pool, events },
      reload: (settings, ids = weights) => void managed.reconfigure(resolve(settings, ids)),
      request: (id, outcome = "success") => {
        const attempt = pool.begin(memberOf(pool, id));
        if (outcome === "success") attempt.responded(1, 200);
        attempt.settle(outcome);
      },
    };
  }

  /** The messages since the last call, without their stamps. */
  takeSent(): string[] {
    return this.sent.splice(0).map(({ from, update: { intent = [], evidence = [] } }) => {
      const what = [...intent.map(({ field, upstream }) => `${field} ${upstream}`)];
      for (const one of evidence)
        what.push(`${one.kind}${one.kind === "verdict" ? ` ${one.health}` : ""} ${one.upstream}`);
      return `${from}: ${what.join(", ")}`;
    });
  }
}

export const refused: ProbeResult = { ok: false, reason: "connect_refused" };
export const status503: ProbeResult = { ok: false, reason: "status 503" };

export function healthOf({ pool }: Participant): { readonly a?: string; readonly b?: string } {
  return Object.fromEntries(pool.upstreams.map(({ id, health }) => [id, health]));
}
