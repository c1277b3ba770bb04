import type { PolicyName } from "../config/options.ts";
import { LeastRequests } from "./least-requests.ts";
import { PowerOfTwoChoices } from "./p2c.ts";
import type { Policy } from "./policy.ts";
import { Random } from "./random.ts";
import { RoundRobin } from "./round-robin.ts";

/** Every built-in policy by its name. Each balancer gets an instance of its own. */
export const policies: Readonly<Record<PolicyName, () => Policy>> = {
  p2c: () => new PowerOfTwoChoices(),
  "round-robin": () => new RoundRobin(),
  "least-requests": () => new LeastRequests(),
  random: () => new Random(),
};
