import type { Policy } from "../../src/policy.ts";
import { policyContract } from "../contract/policy-contract.ts";

/** A custom policy must meet the same contract as the built-in ones. */
const lottery = (): Policy => ({
  name: "lottery",
  pick({ candidates, random }) {
    const tickets = candidates.map((upstream) => upstream.effectiveWeight / -Math.log(1 - random()));
    const winner = tickets.indexOf(Math.max(...tickets));
    return candidates[winner] ?? (candidates[0] as (typeof candidates)[0]);
  },
});

policyContract("lottery", lottery, { shares: "random" });
