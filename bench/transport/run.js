// Compares our own connections with undici's: the same relay over each, in turns in one run. Measures the CPU time per request with
// small bodies, a browser's headers and 64 connections, and the memory with bodies of 100 KB and 1,000 connections. `undici` is
// plain undici.
//
//     pnpm build && pnpm bench:transport [ROUNDS] [SECONDS]
//
// Each value is the median of its rounds, and so is each ratio. Since they take turns, other work on the machine affects both
// equally; ratios are more reliable than microseconds.

import { fork } from "node:child_process";
import { startBackend } from "./backend.js";
import { load, loadName } from "./load.js";

const kinds = ["wire", "undici"];
const [rounds = 15, seconds = 2] = process.argv.slice(2).map(Number);
const targets = { cpu: 0.85, memory: 1 };

const backend = await startBackend();
try {
  console.log(
    `Node ${process.version}, load by ${loadName}, upstream ${backend.name}, ${rounds} rounds of ${seconds} s`,
  );
  const cpu = await measureCpu();
  report("CPU per request, small bodies, 64 connections", cpu, (micros) => `${micros.toFixed(1)} us`, targets.cpu);
  const memory = await measureMemory();
  const toMegabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
  report("Most memory (RSS), bodies of 100 KB, 1,000 connections", memory, toMegabytes, targets.memory);
} finally {
  backend.stop();
}

/** One process of each kind for all rounds: it is warm, and only the difference counts. */
async function measureCpu() {
  const relays = await Promise.all(kinds.map(startRelay));
  const figures = kinds.map(() => []);
  for (const relay of relays) await load(relay.port, "/small", { connections: 64, seconds: 2 });
  for (let round = 0; round < rounds; round++) {
    for (const index of turnsOf(round)) {
      const before = await relays[index].usage();
      const answers = await load(relays[index].port, "/small", { connections: 64, seconds });
      const after = await relays[index].usage();
      figures[index].push((after.user + after.system - before.user - before.system) / answers);
    }
  }
  for (const relay of relays) relay.stop();
  return figures;
}

/** A new process for each value: a process does not release memory. */
async function measureMemory() {
  const figures = kinds.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const index of turnsOf(round)) {
      const relay = await startRelay(kinds[index]);
      await load(relay.port, "/large", { connections: 1_000, seconds });
      figures[index].push((await relay.usage()).peakRss);
      relay.stop();
    }
  }
  return figures;
}

/** The order changes with the round. */
function turnsOf(round) {
  return kinds.map((_, index) => (index + round) % kinds.length);
}

/** A relay in its own process, whose responses have been checked. */
async function startRelay(kind) {
  const child = fork(new URL("relay.js", import.meta.url), [kind, String(backend.port)], { execArgv: [] });
  const next = () => new Promise((resolve) => child.once("message", resolve));
  const { port } = await next();
  for (const [target, length] of [
    ["/small", 24],
    ["/large", 100_000],
  ]) {
    const answer = await fetch(`http://127.0.0.1:${port}${target}`);
    const body = await answer.text();
    if (answer.status !== 200 || body.length !== length) throw new Error(`${kind} answers ${target} wrongly`);
  }
  const usage = () => {
    child.send("usage");
    return next();
  };
  return { port, usage, stop: () => child.kill() };
}

function report(title, [own, ...others], format, target) {
  console.log(
    `${title}: ${kinds.map((kind, index) => `${kind} ${format(median([own, ...others][index]))}`).join(", ")}`,
  );
  for (const [index, other] of others.entries()) {
    const ratio = median(own.map((figure, round) => figure / other[round]));
    const verdict = ratio <= target ? "met" : "missed";
    console.log(`  wire to ${kinds[index + 1]}: ${ratio.toFixed(2)} (target ${target}, ${verdict})`);
  }
}

function median(figures) {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
