import fc, { type Arbitrary } from "fast-check";
import { expect, test } from "vitest";
import type { Input } from "./input.ts";
import type { Serve } from "./lab.ts";
import { clients, plainClients } from "./requests.ts";
import { anyPlays, goodPlays } from "./responses.ts";
import { run } from "./run.ts";

const targets: Readonly<Record<"requests" | "responses", Arbitrary<Input>>> = {
  requests: fc.record({ client: clients, plays: goodPlays }),
  responses: fc.record({ client: plainClients, plays: anyPlays }),
};

// `pnpm fuzz` sets these; see scripts/fuzz.js.
const seed = Number(process.env["FUZZ_SEED"] ?? 1);
const path = process.env["FUZZ_PATH"];

/** One test for each side that input comes from. */
export function fuzz(layer: "core" | "own" | "cli", serve: Serve, usualRuns: number): void {
  const runs = Number(process.env["FUZZ_RUNS"] ?? usualRuns);
  for (const target of ["requests", "responses"] as const) {
    test(`${runs} generated ${target}, seed ${seed}`, {
      timeout: process.env["FUZZ_RUNS"] === undefined ? 180_000 : 0,
    }, async () => {
      const command = `pnpm fuzz ${target} --layer ${layer}`;
      const summary = await run({ target, inputs: targets[target], serve, runs, seed, path, command });
      const { inputs, seconds, forwarded, refused, answered, failures } = summary;
      console.log(
        `${target}, ${layer}: ${inputs} inputs in ${seconds.toFixed(1)} s, seed ${seed}; ${forwarded} requests reached ` +
          `an upstream, ${answered} answers came back, ${refused} inputs went no further; ${failures.length} failures`,
      );
      expect(failures.join("\n\n")).toBe("");
      // Most of what is generated has to get somewhere, or nothing is tried.
      if (path === undefined) expect(forwarded).toBeGreaterThan(inputs * 0.5);
    });
  }
}
