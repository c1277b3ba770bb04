import { didYouMean, OptionsError } from "../config/issues.ts";
import type { PolicyName } from "../config/options.ts";
import { ProxyError } from "../errors.ts";
import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";
import { type Runtime, resolveRuntime } from "../runtime/runtime.ts";
import { seededRandom } from "../runtime/seeded-random.ts";
import { type PolicySettings, policies } from "./policies.ts";
import { sharesByWeight } from "./weight-share.ts";

const none: readonly Upstream[] = [];

export interface BalancerOptions {
  /** The name of a built-in policy, or a custom policy. Default: the pool's `balance`. */
  readonly policy?: PolicyName | Policy;
  /**
   * Policies that take turns begin anywhere, so that processes which start together do not all send their first requests to the
   * same upstream. Default: false.
   */
  readonly startAnywhere?: boolean;
}

export interface PickOptions {
  /** The key for a hashing policy. */
  readonly key?: string | undefined;
  /** Upstreams not to pick, such as those tried before. */
  readonly exclude?: readonly Upstream[];
  /** Picks among ejected, half-open and unhealthy upstreams: for a request that could connect to no other. */
  readonly lastResort?: boolean;
}

/**
 * Picks an upstream of a pool. The pool decides which upstreams are candidates, the policy picks one of them.
 *
 * @example
 * const pool = new Pool("api", { upstreams: ["http://127.0.0.1:3001", "http://127.0.0.1:3002"] });
 * const balancer = new Balancer(pool, { policy: "least-requests" });
 * const upstream = balancer.pick();
 */
export class Balancer {
  readonly policy: Policy;
  readonly #pool: Pool;
  readonly #runtime: Runtime;
  /** The policy is not built in, so its picks are checked. */
  readonly #custom: boolean;

  /** Throws an `OptionsError` for a policy that does not exist. */
  constructor(pool: Pool, options: BalancerOptions = {}, runtime?: Partial<Runtime>) {
    this.#pool = pool;
    this.#runtime = resolveRuntime(runtime);
    const policy = options.policy ?? pool.options.balance;
    const startAt = options.startAnywhere === true ? this.#runtime.random : undefined;
    this.policy = resolvePolicy(policy, { ...pool.options, startAt });
    this.#custom = typeof policy !== "string";
  }

  /**
   * Returns undefined when there is no candidate, or every candidate is excluded. Throws a `ProxyError` with the code
   * `policy_failed` when a custom policy throws or does not return a candidate.
   */
  pick({ key, exclude = none, lastResort = false }: PickOptions = {}): Upstream | undefined {
    const candidates = lastResort ? this.#pool.lastResort(exclude) : this.#candidates(exclude);
    if (candidates.length === 0) return undefined;
    const { random, clock } = this.#runtime;
    const context = { candidates, key, random, now: clock.now() };
    // A policy returns one of the candidates that it was given.
    return (this.#custom ? pickChecked(this.policy, context) : this.policy.pick(context)) as Upstream;
  }

  /**
   * Returns the probability that each candidate is picked next, and the reason. Changes nothing: the policy gets a random
   * source other than the balancer's.
   */
  weigh({ key, exclude = none }: PickOptions = {}): ReadonlyMap<Upstream, Weighed> {
    const candidates = this.#candidates(exclude);
    if (candidates.length === 0) return new Map();
    const context = { candidates, key, random: seededRandom(), now: this.#runtime.clock.now() };
    const weighed = weigh(this.policy, context);
    return new Map(candidates.map((upstream, index) => [upstream, weighed[index] ?? unknown]));
  }

  /** A custom policy gets the frozen list, so that it cannot change the list for the next pick. */
  #candidates(exclude: readonly Upstream[]): readonly Upstream[] {
    return this.#custom && exclude.length === 0 ? this.#pool.candidates : this.#pool.candidatesExcept(exclude);
  }
}

function resolvePolicy(policy: PolicyName | Policy, settings: PolicySettings): Policy {
  if (typeof policy !== "string") return policy;
  if (Object.hasOwn(policies, policy)) return policies[policy](settings);
  const message = `there is no policy "${policy}"${didYouMean(policy, Object.keys(policies))}`;
  throw new OptionsError([{ path: ["policy"], message }]);
}

const unknown: Weighed = { chance: 0, because: "the policy gives no reason" };

/** A policy without `weigh`, or whose `weigh` throws, is taken to share by weight. */
function weigh(policy: Policy, context: PickContext): readonly Weighed[] {
  try {
    return policy.weigh?.(context) ?? sharesByWeight(context.candidates);
  } catch {
    return sharesByWeight(context.candidates);
  }
}

function pickChecked(policy: Policy, context: PickContext): Candidate {
  let picked: Candidate;
  try {
    picked = policy.pick(context);
  } catch (cause) {
    throw new ProxyError("policy_failed", `the policy "${policy.name}" threw`, { cause });
  }
  if (context.candidates.includes(picked)) return picked;
  throw new ProxyError("policy_failed", `the policy "${policy.name}" picked no candidate`);
}
