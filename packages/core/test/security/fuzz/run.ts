/**
 * Plays inputs in batches: each batch has a proxy of its own and a seed of its own, several are under way at a time, and
 * the first that fails is shrunk by fast-check to the least input that fails.
 */

import fc, { type Arbitrary } from "fast-check";
import { until } from "../../support/event-loop.ts";
import { openHandles, watchStrays } from "../../support/raw-case.ts";
import type { Input } from "./input.ts";
import { Lab, type Serve } from "./lab.ts";
import type { Result } from "./oracles.ts";

export interface Run {
  readonly target: "requests" | "responses";
  readonly inputs: Arbitrary<Input>;
  readonly serve: Serve;
  readonly runs: number;
  readonly seed: number;
  /** Of a failed run of this seed: that one alone is played. */
  readonly path: string | undefined;
  /** Words of the command that plays it again. */
  readonly command: string;
}

export interface Summary {
  inputs: number;
  /** Requests that upstreams read. */
  forwarded: number;
  /** Inputs of which upstreams read none. */
  refused: number;
  /** Whole answers that came from upstreams. */
  answered: number;
  seconds: number;
  readonly failures: string[];
}

const batchSize = 200;
/** Waiting for timers and sockets is what one alone would do most. */
const lanes = 12;
const settleMs = 10_000;
const progressEveryMs = 5_000;
/** Of a batch, shrinking included. */
const mostMs = 600_000;

export async function run(options: Run): Promise<Summary> {
  const summary: Summary = { inputs: 0, forwarded: 0, refused: 0, answered: 0, seconds: 0, failures: [] };
  const startedAt = performance.now();
  const handlesBefore = openHandles();
  const strays = watchStrays();
  const report = progress(options, summary, startedAt);
  const batches = options.path === undefined ? Math.ceil(options.runs / batchSize) : 1;
  let next = 0;
  const lane = async () => {
    for (let batch = next++; batch < batches && summary.failures.length === 0; batch = next++) {
      const size = Math.min(batchSize, options.runs - batch * batchSize);
      const failure = await playBatch(options, seedOf(options.seed, batch), size, summary, strays);
      if (failure !== undefined) summary.failures.push(failure);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  clearInterval(report);
  const left = await handlesBeyond(handlesBefore);
  if (left > 0) summary.failures.push(`${left} handles are left: ${process.getActiveResourcesInfo().join()}`);
  summary.failures.push(...strays().map((stray) => `stray: ${stray}`));
  summary.seconds = (performance.now() - startedAt) / 1_000;
  return summary;
}

/** The seeds of the batches of a run; the first has that of the run, so that a batch is played again by its own. */
function seedOf(seed: number, batch: number): number {
  return (seed + Math.imul(batch, 0x9e3779b1)) & 0x7fffffff;
}

async function playBatch(
  options: Run,
  seed: number,
  runs: number,
  summary: Summary,
  strays: () => string[],
): Promise<string | undefined> {
  const lab = await Lab.open(options.serve);
  const property = fc.asyncProperty(options.inputs, async (input) => {
    const { complaints, result } = await lab.play(input);
    count(summary, result);
    const all = [...complaints, ...strays()];
    if (all.length > 0) throw new Error(describe(all, result));
  });
  const { path } = options;
  const details = await fc.check(property, {
    ...{ seed, numRuns: runs, interruptAfterTimeLimit: mostMs, markInterruptAsFailure: true },
    ...(path !== undefined && { path, endOnFailure: true }),
  });
  const left = await lab.close();
  if (details.failed) {
    const replay = `${options.command} --seed ${seed} --path ${details.counterexamplePath ?? ""}`;
    return `${details.errorInstance instanceof Error ? details.errorInstance.message : "too slow"}\nplan: ${fc.stringify(details.counterexample)}\nagain: ${replay}`;
  }
  if (left.length > 0) return `${left.join("\n")}\nagain: ${options.command} --seed ${seed} --runs ${runs}`;
  return undefined;
}

function count(summary: Summary, { seen, conversation }: Result): void {
  summary.inputs++;
  summary.forwarded += seen.length;
  if (seen.length === 0) summary.refused++;
  summary.answered += conversation.responses.filter(({ complete, head }) => complete && /^x-tag:/im.test(head)).length;
}

function describe(complaints: readonly string[], { conversation, seen, said, events }: Result): string {
  const { bytes, text, how, left } = conversation;
  const lines = [
    ...complaints,
    `sent: ${JSON.stringify(bytes.toString("latin1"))}`,
    ...seen.map(
      ({ head, body, complete }) =>
        `upstream read${complete ? "" : " a part"}: ${JSON.stringify(head + body.toString("latin1"))}`,
    ),
    ...said.map((one) => `upstream said, then ${one.end}: ${JSON.stringify(one.bytes.toString("latin1"))}`),
    `client got, then ${how}${left ? " (it left)" : ""}: ${JSON.stringify(text)}`,
    ...events.map(
      ({ method, url, status, error, flags }) => `event: ${[method, url, status, error, ...flags].join(" ")}`,
    ),
  ];
  return lines
    .map((line) => (line.length > 3_000 ? `${line.slice(0, 3_000)} (${line.length} characters)` : line))
    .join("\n");
}

function progress({ target, runs, seed }: Run, summary: Summary, startedAt: number): NodeJS.Timeout {
  return setInterval(() => {
    const rate = Math.round(summary.inputs / ((performance.now() - startedAt) / 1_000));
    console.log(`${target}: ${summary.inputs} of ${runs} inputs, ${rate} a second, seed ${seed}`);
  }, progressEveryMs);
}

/** How many more there are than there were, when all that is about to close has closed. */
async function handlesBeyond(before: number): Promise<number> {
  await until(() => openHandles() <= before, settleMs);
  return openHandles() - before;
}
