import { seededRandom } from "evenkeel";
import type { DemoUpstream } from "./demo-upstream.ts";

/** At almost any moment there is an outage, so that a user sees one within ten seconds. */
const firstMs = 3_000;
const upMs = { min: 4_000, max: 7_000 };
const downMs = { min: 15_000, max: 40_000 };

/** Takes an upstream down from time to time, at the same times after each start. Returns a function that stops this. */
export function scheduleOutages(upstream: Pick<DemoUpstream, "goDown">, seed: number): () => void {
  const random = seededRandom(seed);
  let timer = setTimeout(goDown, firstMs).unref();

  function goDown(): void {
    const outageMs = between(downMs, random());
    upstream.goDown(outageMs);
    timer = setTimeout(goDown, outageMs + between(upMs, random())).unref();
  }
  return () => clearTimeout(timer);
}

function between({ min, max }: { readonly min: number; readonly max: number }, share: number): number {
  return Math.round(min + (max - min) * share);
}
