import { didYouMean, OptionsError } from "../config/issues.ts";
import type { PolicyName } from "../config/options.ts";
import { ProxyError } from "../errors.ts";
import type { Candidate, PickContext, Policy, Weighed } from "../policy.ts";
import type { Pool } from "../pool/pool.ts";
import type { Upstream } from "../pool/upstream.ts";
import { type Runtime, resolveRuntime } from "../runtime/runtime.ts";
import { seededRandom } from "../runtime/seeded-random.ts";
import { type PolicySettings, policies } from "./policies.ts";
import { weighByWeight } from "./weight-share.ts";

const none: readonly Upstream[] = [];

export interface BalancerOptions {
  /** A built-in policy's name, or a policy of your own. Default: the pool's `balance`. */
  readonly policy?: PolicyName | Policy;
}

export interface PickOptions {
  /** What a hashing policy hashes. */
  readonly key?: string | undefined;
  /** Upstreams not to pick: those tried before. */
  readonly exclude?: readonly Upstream[];
  /** Picks from the ejected, half-open and unhealthy ones instead: for a request that could connect to no other. */
  readonly lastResort?: boolean;
}

/**
 * Chooses among a pool's upstreams. The pool says which may be picked, the policy says which one.
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
  /** The policy is not one of ours: what it picks is looked at. */
  readonly #foreign: boolean;

  /** Throws an `OptionsError` for a policy that does not exist. */
  constructor(pool: Pool, options: BalancerOptions = {}, runtime?: Partial<Runtime>) {
    this.#pool = pool;
    this.#runtime = resolveRuntime(runtime);
    const policy = options.policy ?? pool.options.balance;
    this.policy = resolvePolicy(policy, pool.options);
    this.#foreign = typeof policy !== "string";
  }

  /**
   * Undefined when nothing may be picked, or everything that may has been excluded. Throws a `ProxyError` with the code
   * `policy_failed` when a policy of your own throws, or picks what is not among its candidates.
   */
  pick({ key, exclude = none, lastResort = false }: PickOptions = {}): Upstream | undefined {
    const candidates = lastResort ? this.#pool.lastResort(exclude) : this.#candidates(exclude);
    if (candidates.length === 0) return undefined;
    const { random, clock } = this.#runtime;
    const context = { candidates, key, random, now: clock.now() };
    // What a policy returns is what it was given.
    return (this.#foreign ? pickChecked(this.policy, context) : this.policy.pick(context)) as Upstream;
  }

  /**
   * How likely each upstream that may be picked is to be picked next, and why. Changes nothing: the policy is lent chance
   * that is not the balancer's own.
   */
  weigh({ key, exclude = none }: PickOptions = {}): ReadonlyMap<Upstream, Weighed> {
    const candidates = this.#candidates(exclude);
    if (candidates.length === 0) return new Map();
    const context = { candidates, key, random: seededRandom(), now: this.#runtime.clock.now() };
    const weighed = weigh(this.policy, context);
    return new Map(candidates.map((upstream, index) => [upstream, weighed[index] ?? unknown]));
  }

  /** A policy that is not ours gets a list that it cannot change for the next pick. */
  #candidates(exclude: readonly Upstream[]): readonly Upstream[] {
    return this.#foreign && exclude.length === 0 ? this.#pool.candidates : this.#pool.candidatesExcept(exclude);
  }
}

function resolvePolicy(policy: PolicyName | Policy, settings: PolicySettings): Policy {
  if (typeof policy !== "string") return policy;
  if (Object.hasOwn(policies, policy)) return policies[policy](settings);
  const message = `there is no policy "${policy}"${didYouMean(policy, Object.keys(policies))}`;
  throw new OptionsError([{ path: ["policy"], message }]);
}

const unknown: Weighed = { chance: 0, because: "its policy does not say" };

/** A policy that cannot tell, or throws, is taken to go by weight. */
function weigh(policy: Policy, context: PickContext): readonly Weighed[] {
  try {
    return policy.weigh?.(context) ?? weighByWeight(context.candidates);
  } catch {
    return weighByWeight(context.candidates);
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
  throw new ProxyError("policy_failed", `the policy "${policy.name}" picked what is not among its candidates`);
}
