// Compares Evenkeel with other proxies in one run: `pnpm bench --help`. docs/performance.md explains the results.

import { writeFileSync } from "node:fs";
import { readArguments } from "./arguments.js";
import { startBackends } from "./backends/start.js";
import { check } from "./contenders/check.js";
import { heatsOf } from "./contenders/heats.js";
import { startLoad } from "./load/start.js";
import { facts } from "./machine/facts.js";
import { profileCore } from "./profile/measure.js";
import { writePerformanceDoc } from "./report/performance-doc.js";
import { progressOf } from "./report/progress.js";
import { tableOf, toText } from "./report/tables.js";
import { targetRows } from "./report/targets.js";
import { takesPart } from "./workloads/list.js";
import { measureIdle, measureSlowReader, measureTunnels } from "./workloads/memory.js";
import { measureRounds, stepsOfRounds } from "./workloads/rounds.js";

const chosen = readArguments(process.argv.slice(2));
const began = performance.now();
const [backends, load] = await Promise.all([startBackends(), startLoad()]);
const { quick, base } = chosen;
const results = { ...facts(), backends: backends.name, load: load.name, quick, base, workloads: {} };

describe(results);
await checkAll();
for (const workload of chosen.workloads) {
  const taking = chosen.contenders.filter((contender) => takesPart(workload, contender, quick));
  if (taking.length === 0) continue;
  const measured = await measure(workload, taking);
  results.workloads[workload.name] = measured;
  console.log(`\n${measured.title}\n\n${toText(tableOf(measured, base))}`);
}
const targets = targetRows(results.workloads);
if (targets.length > 1) console.log(`\nTargets\n\n${toText(targets)}`);
if (chosen.write) results.profile = await profileCore({ backends, load, seconds: quick ? 2 : 5 });
if (chosen.json !== undefined) writeFileSync(chosen.json, `${JSON.stringify(results, null, 2)}\n`);
if (chosen.write) writePerformanceDoc(results);

console.log(`\nIt took ${Math.round((performance.now() - began) / 1_000)} s.`);
const failed = Object.values(results.workloads).some(({ heats }) =>
  heats.some(({ contenders }) => Object.values(contenders).some((figures) => figures.failed !== undefined)),
);
process.exit(failed ? 1 : 0);

async function checkAll() {
  const progress = progressOf("checking what everybody answers", chosen.contenders.length);
  for (const contender of chosen.contenders) {
    await check(contender, backends, load);
    progress();
  }
}

async function measure(listed, contenders) {
  const workload = { ...listed, ...(quick && listed.quick) };
  const rounds = quick ? 1 : (chosen.rounds ?? workload.rounds);
  const { seconds } = chosen;
  const warmUps = quick ? 0 : 1;
  const inRounds = workload.way === "rounds";
  const heats = inRounds ? heatsOf(contenders) : [contenders];
  const counts = heats.map(({ length }) => (inRounds ? stepsOfRounds(workload, length, rounds) : length));
  const progress = progressOf(
    workload.title,
    counts.reduce((sum, count) => sum + count, 0),
  );
  const surroundings = { backends, load, warmUps, rounds, seconds, progress };
  const { name, title } = workload;
  const ways = { rounds: measureRounds, tunnels: measureTunnels, idle: measureIdle, slowReader: measureSlowReader };
  const measured = [];
  for (const heat of heats) measured.push(await ways[workload.way](workload, heat, surroundings));
  return { name, title, ...(inRounds && { rounds, seconds }), heats: measured };
}

function describe({ node, machine, versions }) {
  const { cpu, cores, pinning } = machine;
  console.log(`Node ${node}, ${cores} cores of ${cpu}, ${machine.system}, load ${machine.load.toFixed(1)}`);
  console.log(`Backends: ${backends.name}. Load: ${load.name}.`);
  console.log(
    pinning === undefined
      ? "Nothing is pinned: that takes taskset and two cores."
      : `Pinned: the proxy to core ${pinning.proxy}, everything else to ${pinning.others.join(", ")}.`,
  );
  const others = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  console.log(`${others.join(", ")}\n`);
  for (const name of ["nginx", "haproxy"]) {
    if (versions[name] === undefined) console.log(`${name} is not installed, and not in the tables.`);
  }
}
