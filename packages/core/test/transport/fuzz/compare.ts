/**
 * One case after another through our parser in several splits, through our connections, and through the peers; what does
 * not agree is counted by its class, or noted as a fault.
 */

import { framingName } from "../../../src/http1/grammar.ts";
import { feed, type Verdict } from "../../support/feed-parser.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { laxer, stricter } from "./disagreements.ts";
import { type Case, generate, randomSplit } from "./generate.ts";
import { type Outcome, Peers } from "./peers.ts";

export interface Report {
  cases: number;
  /** Of them, complete in our eyes. */
  accepted: number;
  /** How often each class of disagreement was met, as `peer: reason`. */
  readonly disagreements: Map<string, number>;
  /** What must not be, with the case that shows it. Only the first are kept. */
  readonly faults: string[];
}

const mostFaults = 20;
const concurrency = 16;

/** Compares `count` cases of a seed; case number n is the same in every run. */
export async function compareWithPeers(
  count: number,
  seed: number,
  onProgress: (done: number) => void,
): Promise<Report> {
  const report: Report = { cases: 0, accepted: 0, disagreements: new Map(), faults: [] };
  const peers = new Peers();
  await peers.listen();
  let next = 0;
  const worker = async () => {
    for (let number = next++; number < count; number = next++) {
      await compareCase(number, seed, peers, report);
      onProgress(++report.cases);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  await peers.close();
  return report;
}

/** Only our parser: the same in every split, and what a well-formed response says. */
export function compareSplits(count: number, seed: number): Report {
  const report: Report = { cases: count, accepted: 0, disagreements: new Map(), faults: [] };
  for (let number = 0; number < count; number++) judgeAlone(number, seed, report);
  return report;
}

interface Judged {
  readonly one: Case;
  readonly pieces: readonly Buffer[];
  readonly verdict: Verdict & { readonly reason: string };
  readonly fault: (what: string) => void;
}

function judgeAlone(number: number, seed: number, report: Report): Judged {
  const random = seededRandom(seed * 1_000_003 + number);
  const one = generate(random);
  const options = { method: one.method, end: true };
  const fault = (what: string) => {
    if (report.faults.length >= mostFaults) return;
    report.faults.push(
      `${what}\n  case ${number} of seed ${seed}: ${one.method} ${JSON.stringify(one.bytes.toString("latin1"))}`,
    );
  };
  const verdict = feed([one.bytes], options);
  const pieces = randomSplit(one.bytes, random);
  const bytes = one.bytes.length < 2_000 ? [...one.bytes].map((byte) => Buffer.of(byte)) : [];
  for (const split of [pieces, bytes].filter(({ length }) => length > 0)) {
    if (!sameVerdict(feed(split, options), verdict)) fault(`another verdict in ${split.length} pieces`);
  }
  if (one.expected !== undefined && !sameMessage(toOutcome(verdict), { ...one.expected, kind: "accepted", code: "" })) {
    fault(`a well-formed response is not read as it is: ${JSON.stringify(verdict)}`);
  }
  if (verdict.complete) report.accepted++;
  return { one, pieces, verdict, fault };
}

async function compareCase(number: number, seed: number, peers: Peers, report: Report): Promise<void> {
  const judged = judgeAlone(number, seed, report);
  const { one, pieces, verdict, fault } = judged;
  const outcomes = await peers.ask({ method: one.method, pieces });
  for (const [name, outcome] of Object.entries(outcomes)) if (outcome.kind === "hung") fault(`${name} hung`);
  const ours = toOutcome(verdict);
  if (!sameMessage(outcomes.ours, ours) || outcomes.ours.code !== ours.code) {
    fault(`the connection says ${JSON.stringify(outcomes.ours)}, its parser ${JSON.stringify(ours)}`);
  }
  comparePeer("node", withoutFraming(outcomes.node), judged, report);
  comparePeer("undici", withoutFraming(withoutUndicisOwnWays(outcomes.undici, ours)), judged, report);
}

function comparePeer(peer: "node" | "undici", theirs: Outcome, judged: Judged, report: Report): void {
  const { one, verdict, fault } = judged;
  const text = one.bytes.toString("latin1");
  const count = (name: string) => {
    report.disagreements.set(`${peer}: ${name}`, (report.disagreements.get(`${peer}: ${name}`) ?? 0) + 1);
  };
  const accepted = theirs.kind === "accepted";
  if (verdict.complete && accepted) {
    if (!sameMessage(theirs, toOutcome(verdict))) fault(`${peer} reads ${JSON.stringify(theirs)}`);
  } else if (verdict.complete) {
    const known = laxer.find((line) => line.peer === peer && line.code.test(theirs.code) && line.shows.test(text));
    if (known === undefined) fault(`${peer} refuses what is accepted here: ${theirs.code}`);
    else count(`${theirs.code}, refused by it alone`);
  } else if (accepted) {
    if (one.expected !== undefined) fault(`well formed, and refused here: ${verdict.reason}`);
    const known = stricter.find((line) => line.reason === verdict.reason && line.shows.test(text));
    if (known === undefined) fault(`${peer} accepts what is refused here: ${verdict.reason}`);
    else count(known.reason);
  }
}

/** undici keeps the white space behind values, and of a status text only what came in the last piece, read as UTF-8. */
function withoutUndicisOwnWays(outcome: Outcome, ours: Outcome): Outcome {
  const trim = (text: string) => text.replace(/[ \t]+$/, "");
  return {
    ...outcome,
    statusText: ours.statusText,
    headers: outcome.headers.map(trim),
    trailers: outcome.trailers.map(trim),
  };
}

/** llhttp takes a transfer coding among the trailers for one more field. */
function withoutFraming(outcome: Outcome): Outcome {
  const isFraming = (place: number) => framingName.test(outcome.trailers[place - (place % 2)] ?? "");
  return { ...outcome, trailers: outcome.trailers.filter((_, place) => !isFraming(place)) };
}

/** What a connection makes of a verdict: what is wrong behind a head is a body that broke off. */
function toOutcome({ complete, head, body, trailers, code }: Verdict): Outcome {
  return {
    kind: complete ? "accepted" : "refused",
    status: head?.status ?? 0,
    statusText: head?.statusText ?? "",
    headers: head?.headers ?? [],
    body,
    trailers,
    code: head !== undefined && code === "invalid_response" ? "response_truncated" : (code ?? ""),
  };
}

function sameMessage(one: Outcome, other: Outcome): boolean {
  const parts = ({ kind, status, statusText, headers, body, trailers }: Outcome) =>
    JSON.stringify([kind, status, statusText, headers, body, trailers]);
  return parts(one) === parts(other);
}

function sameVerdict(one: Verdict & { reason: string }, other: Verdict & { reason: string }): boolean {
  const parts = ({ reason: _, ...verdict }: Verdict & { reason: string }) => JSON.stringify(verdict);
  return parts(one) === parts(other);
}
