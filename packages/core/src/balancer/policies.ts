import type { PolicyName } from "../config/options.ts";
import type { ResolvedPool } from "../config/resolved.ts";
import type { Policy } from "../policy.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { First } from "./first.ts";
import { LeastRequests } from "./least-requests.ts";
import { PowerOfTwoChoices } from "./p2c.ts";
import { PeakEwmaPolicy } from "./peak-ewma-policy.ts";
import { Random } from "./random.ts";
import { RendezvousHash } from "./rendezvous-hash.ts";
import { RoundRobin } from "./round-robin.ts";

/** The pool options that policies use, and for a turn that starts anywhere a source of chance. */
export type PolicySettings = Pick<ResolvedPool, "hashBalanceFactor"> & {
  readonly startAt?: Runtime["random"] | undefined;
};

/** The built-in policies by name. Each balancer creates its own instance. */
export const policies: Readonly<Record<PolicyName, (settings?: PolicySettings) => Policy>> = {
  p2c: () => new PowerOfTwoChoices(),
  "round-robin": (settings) => new RoundRobin(settings?.startAt),
  "least-requests": (settings) => new LeastRequests(settings?.startAt),
  random: () => new Random(),
  "peak-ewma": () => new PeakEwmaPolicy(),
  hash: (settings) => new RendezvousHash(settings?.hashBalanceFactor),
  first: () => new First(),
};
