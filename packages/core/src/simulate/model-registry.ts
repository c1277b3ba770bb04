import type { ResolvedHealthCheck, UpstreamAddress } from "../config/resolved.ts";
import type { Probe, ProbeResult } from "../health/probe.ts";
import type { Pool } from "../pool/pool.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import { ModelledUpstream } from "./modelled-upstream.ts";
import { resolveModel } from "./trace/resolve-trace.ts";
import type { ResolvedModel } from "./trace/resolved-trace.ts";
import { qualifiedName } from "./trace/upstream-names.ts";

/** The modelled upstreams of a simulation. Each is created at its first use. */
export class ModelRegistry {
  readonly #models: ReadonlyMap<string, ResolvedModel>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #made = new Map<string, ModelledUpstream>();
  readonly #byAddress = new WeakMap<UpstreamAddress, ModelledUpstream>();
  #probed = false;

  /** `models` are the models of the trace, by "pool/id". */
  constructor(models: ReadonlyMap<string, ResolvedModel>, clock: Clock, random: Random) {
    this.#models = models;
    this.#clock = clock;
    this.#random = random;
  }

  /** An upstream that leaves its pool and joins again keeps its model. */
  of(pool: string, id: string): ModelledUpstream {
    const name = qualifiedName({ pool, id });
    const known = this.#made.get(name);
    if (known !== undefined) return known;
    const made = new ModelledUpstream(this.#models.get(name) ?? resolveModel({}), this.#clock, this.#random);
    this.#made.set(name, made);
    return made;
  }

  /** Makes the members of a pool respond to probes, also those that join later. */
  attach(pool: Pool): void {
    const register = (id: string) => {
      const upstream = pool.get(id);
      if (upstream !== undefined) this.#byAddress.set(upstream.address, this.of(pool.name, id));
    };
    for (const { id } of pool.upstreams) register(id);
    pool.on("member", ({ upstream }) => register(upstream));
  }

  /** The probe of health checkers. The model handles it like a request, with the same latency and failures. */
  readonly probe: Probe = (address, check, _tls, { signal }) =>
    new Promise((resolve) => {
      const finish = (result: ProbeResult) => {
        this.#probed = true;
        resolve(result);
      };
      const handler = {
        onStatus: (status: number) => finish(judge(status, check)),
        onFailure: (code: string) => finish({ ok: false, reason: code }),
      };
      const model = this.#byAddress.get(address);
      signal.addEventListener("abort", () => model?.forget(handler));
      // The checker has its own timeout.
      model?.dispatch(handler, Infinity);
    });

  /** Whether a probe has ended since the last call, so that its promise is about to settle. */
  takeProbed(): boolean {
    const probed = this.#probed;
    this.#probed = false;
    return probed;
  }
}

function judge(status: number, { type, expectStatus }: ResolvedHealthCheck): ProbeResult {
  if (type === "tcp") return { ok: true, reason: "connected" };
  if (type === "grpc")
    return status < 400 ? { ok: true, reason: "SERVING" } : { ok: false, reason: `status ${status}` };
  return { ok: expectStatus.some(({ from, to }) => status >= from && status <= to), reason: `status ${status}` };
}
