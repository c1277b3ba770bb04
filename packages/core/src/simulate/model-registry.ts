import type { ResolvedHealthCheck, UpstreamAddress } from "../config/resolved.ts";
import type { Probe, ProbeResult } from "../health/probe.ts";
import type { Pool } from "../pool/pool.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { ModelledUpstream } from "./modelled-upstream.ts";
import { resolveModel } from "./trace/resolve-trace.ts";
import type { ResolvedModel } from "./trace/resolved-trace.ts";
import { nameOf } from "./trace/upstream-names.ts";

/** The upstreams of a simulation, made as they are first asked for. */
export class Models {
  readonly #models: ReadonlyMap<string, ResolvedModel>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #made = new Map<string, ModelledUpstream>();
  readonly #byAddress = new WeakMap<UpstreamAddress, ModelledUpstream>();
  #probed = false;

  /** `models` are those that a trace describes, by "pool/id". */
  constructor(models: ReadonlyMap<string, ResolvedModel>, clock: Clock, random: Random) {
    this.#models = models;
    this.#clock = clock;
    this.#random = random;
  }

  /** One that leaves its pool and joins it again is the same. */
  of(pool: string, id: string): ModelledUpstream {
    const name = nameOf({ pool, id });
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const made = new ModelledUpstream(this.#models.get(name) ?? resolveModel({}), this.#clock, this.#random);
    this.#made.set(name, made);
    return made;
  }

  /** Has the members of a pool answer to probes, those who join included. */
  follow(pool: Pool): void {
    const take = (id: string) => {
      const upstream = pool.get(id);
      if (upstream !== undefined) this.#byAddress.set(upstream.address, this.of(pool.name, id));
    };
    for (const { id } of pool.upstreams) take(id);
    pool.on("member", ({ upstream }) => take(upstream));
  }

  /** For health checkers. A probe is a request like any other: it waits where those wait, and fails as they do. */
  readonly probe: Probe = (address, check, _tls, { signal }) =>
    new Promise((resolve) => {
      const answer = (result: ProbeResult) => {
        this.#probed = true;
        resolve(result);
      };
      const handler = {
        onStatus: (status: number) => answer(judge(status, check)),
        onFailure: (code: string) => answer({ ok: false, reason: code }),
      };
      const model = this.#byAddress.get(address);
      signal.addEventListener("abort", () => model?.forget(handler));
      // The checker keeps the time.
      model?.dispatch(handler, Infinity);
    });

  /** Whether a probe has been answered since the last time, and its promise is about to settle. */
  takeProbed(): boolean {
    const probed = this.#probed;
    this.#probed = false;
    return probed;
  }
}

function judge(status: number, { type, expectStatus }: ResolvedHealthCheck): ProbeResult {
  if (type === "tcp") return { ok: true, reason: "connected" };
  return { ok: expectStatus.some(({ from, to }) => status >= from && status <= to), reason: `status ${status}` };
}
