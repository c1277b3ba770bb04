import { describe, expect, test } from "vitest";
import { compareSplits, compareWithPeers, type Report } from "./fuzz/compare.ts";
import { stricter } from "./fuzz/disagreements.ts";

// `pnpm fuzz parser` sets these; see scripts/fuzz.js.
const count = Number(process.env["FUZZ_RUNS"] ?? 3_000);
const seed = Number(process.env["FUZZ_SEED"] ?? 1);
const progressEvery = 5_000;

describe(`responses from a grammar, with and without faults, seed ${seed}`, () => {
  test(`${count * 3} get the same verdict whole, in pieces and byte by byte`, () => {
    const report = compareSplits(count * 3, seed + 1);
    expect(report.faults).toEqual([]);
    expect(report.accepted).toBeGreaterThan(report.cases * 0.4);
  });

  test(`${count} are read over sockets like node:http and undici read them, or refused for a known reason`, async () => {
    const report = await compareWithPeers(count, seed, (done) => {
      if (done % progressEvery === 0) console.log(`${done} of ${count} responses, seed ${seed}`);
    });
    if (count >= progressEvery) console.log(summary(report));
    expect(report.faults).toEqual([]);
    expect(report.accepted).toBeGreaterThan(report.cases * 0.4);
    expect(report.accepted).toBeLessThan(report.cases * 0.8);
  });

  test("every known reason to be stricter is one that the parser gives", () => {
    expect(stricter.map(({ reason }) => reason)).toEqual([...new Set(stricter.map(({ reason }) => reason))]);
  });
});

function summary({ cases, accepted, disagreements, faults }: Report): string {
  const lines = [...disagreements].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, times]) => `  ${times}  ${name}`);
  return [`${cases} responses, ${accepted} accepted, ${faults.length} faults; disagreements:`, ...lines].join("\n");
}
