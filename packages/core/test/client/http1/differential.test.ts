import { describe, expect, test } from "vitest";
import { seededRandom } from "../../support/seeded-random.ts";
import { randomSplit } from "../../transport/fuzz/generate.ts";
import { laxer, stricter } from "./fuzz/disagreements.ts";
import { type Case, generate, type ReadRequest } from "./fuzz/generate.ts";
import { NodeReader, readOurs, type Verdict } from "./fuzz/read-requests.ts";

// `pnpm fuzz server` sets these; see scripts/fuzz.js.
const count = Number(process.env["FUZZ_RUNS"] ?? 3_000);
const seed = Number(process.env["FUZZ_SEED"] ?? 1);
const progressEvery = 50_000;
const concurrency = 16;
const mostFaults = 20;

interface Report {
  /** Cases of which our parser has refused nothing. */
  accepted: number;
  readonly disagreements: Map<string, number>;
  readonly faults: string[];
}

describe(`requests from a grammar, with and without faults, seed ${seed}`, () => {
  test(`${count * 3} get the same verdict whole, in pieces and byte by byte`, () => {
    const report = newReport();
    for (let number = 0; number < count * 3; number++) judgeSplits(number, seed + 1, report);
    expect(report.faults.join("\n")).toBe("");
    expect(report.accepted).toBeGreaterThan(count * 3 * 0.4);
  });

  test(`${count} are read like node:http reads them, or refused for a known reason`, async () => {
    const report = newReport();
    const reader = new NodeReader();
    let next = 0;
    const lane = async () => {
      for (let number = next++; number < count; number = next++) {
        await compare(number, reader, report);
        if (number % progressEvery === progressEvery - 1) console.log(`${number + 1} of ${count}, seed ${seed}`);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, lane));
    if (count >= progressEvery) console.log(summary(report));
    expect(report.faults.join("\n")).toBe("");
    expect(report.accepted).toBeGreaterThan(count * 0.4);
  });

  test("every known reason to be stricter is there once for each pattern", () => {
    const keys = stricter.map(({ reason, shows }) => `${reason} ${shows}`);
    expect(keys).toEqual([...new Set(keys)]);
  });
});

function newReport(): Report {
  return { accepted: 0, disagreements: new Map(), faults: [] };
}

interface Judged {
  readonly one: Case;
  readonly pieces: readonly Buffer[];
  readonly ours: Verdict;
  readonly fault: (what: string) => void;
}

function judgeSplits(number: number, from: number, report: Report): Judged {
  const random = seededRandom(from * 1_000_003 + number);
  const one = generate(random);
  const fault = (what: string) => {
    if (report.faults.length >= mostFaults) return;
    report.faults.push(
      `${what}\n  case ${number} of seed ${from}: ${JSON.stringify(one.bytes.toString("latin1")).slice(0, 2_000)}`,
    );
  };
  const ours = readOurs([one.bytes]);
  const pieces = randomSplit(one.bytes, random);
  const bytes = one.bytes.length < 2_000 ? [...one.bytes].map((byte) => Buffer.of(byte)) : [];
  for (const split of [pieces, bytes].filter(({ length }) => length > 0)) {
    const again = readOurs(split);
    if (textOf(again) !== textOf(ours))
      fault(`another verdict in ${split.length} pieces: ${textOf(again)}, not ${textOf(ours)}`);
  }
  if (one.expected !== undefined && JSON.stringify(one.expected) !== JSON.stringify(ours.requests)) {
    fault(`well-formed requests are not read as they are: ${JSON.stringify(ours)}`);
  }
  if (ours.end !== "refused") report.accepted++;
  return { one, pieces, ours, fault };
}

async function compare(number: number, reader: NodeReader, report: Report): Promise<void> {
  const { one, pieces, ours, fault } = judgeSplits(number, seed, report);
  const theirs = await reader.read(pieces);
  const text = one.bytes.toString("latin1");
  const count = (name: string) => report.disagreements.set(name, (report.disagreements.get(name) ?? 0) + 1);
  const both = Math.min(ours.requests.length, theirs.requests.length);
  for (let index = 0; index < both; index++) {
    if (!sameRequest(ours.requests[index] as ReadRequest, theirs.requests[index] as ReadRequest)) {
      return fault(
        `node reads request ${index} as ${JSON.stringify(theirs.requests[index])}, not ${JSON.stringify(ours.requests[index])}`,
      );
    }
  }
  const known = laxer.find(({ code, shows }) => code.test(theirs.code || theirs.end) && shows.test(text));
  if (ours.requests.length > both) {
    if (known === undefined) fault(`node does not read what is read here: ${theirs.end} ${theirs.code}`);
    else count(`${theirs.code || theirs.end}, by node alone`);
  } else if (theirs.requests.length > both) {
    const reason = stricter.find((line) => line.reason === ours.reason && line.shows.test(text));
    if (reason === undefined) fault(`node reads more than is read here: ${ours.end} ${ours.reason}`);
    else count(ours.reason);
  } else if (ours.end === "open" && theirs.end === "refused") {
    if (known === undefined) fault(`node refuses what is no request here: ${theirs.code}`);
    else count(`${theirs.code}, by node alone`);
  }
}

function sameRequest(one: ReadRequest, other: ReadRequest): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function textOf({ requests, end, code }: Verdict): string {
  return JSON.stringify([requests, end, code]);
}

function summary({ accepted, disagreements, faults }: Report): string {
  const lines = [...disagreements].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, times]) => `  ${times}  ${name}`);
  return [`${count} cases, ${accepted} accepted, ${faults.length} faults; disagreements:`, ...lines].join("\n");
}
