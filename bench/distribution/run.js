// Compares ways to give connections to several processes: node:cluster with the kernel's distribution ("none") and in turns
// ("rr"), and a primary that accepts and hands each socket to the worker with the fewest connections, with at most W sockets that
// the worker has not acknowledged. docs/decisions/0018-workers.md has the results and what follows from them.
//
//     pnpm bench:distribution [ROUNDS] [SECONDS]
//
// The workers serve a fixed response, so that the distribution is all that is measured. The load comes from wrk. The groups take
// turns: other work on the machine affects all of them, and the ratio to "none" is taken within each round.

import { fork } from "node:child_process";
import { setTimeout as wait } from "node:timers/promises";
import { usageOfProcess } from "../machine/usage.js";
import { median, medianRatio } from "../report/statistics.js";
import { connect, saturate } from "./load.js";

const [rounds = 9, seconds = 1] = process.argv.slice(2).map(Number);
const kinds = [
  { name: "cluster none", script: "cluster.js", words: ["none"] },
  { name: "cluster rr", script: "cluster.js", words: ["rr"] },
  { name: "handover W=1", script: "handover.js", words: ["1"] },
  { name: "handover W=2", script: "handover.js", words: ["2"] },
  { name: "handover W=4", script: "handover.js", words: ["4"] },
  { name: "W=2, JSON", script: "handover.js", words: ["2"], more: ["json"] },
];
const stoppedConnections = 20;
const heldConnections = 64;

const stamp = new Date().toISOString().slice(0, 10);
console.log(`${stamp}, Node ${process.version}, ${rounds} rounds of ${seconds} s, medians; ratios to "cluster none"`);
for (const workers of [2, 4]) {
  const groups = await Promise.all(kinds.map((kind) => start(kind, workers)));
  await measure(workers, groups);
  for (const { primary } of groups) primary.disconnect();
}

async function measure(workers, groups) {
  const figures = groups.map(() => ({
    rate: [],
    primary: [],
    total: [],
    kept: [],
    atOnce: [],
    oneByOne: [],
    busy: [],
  }));
  for (const { port } of groups) await saturate(port, { seconds: 1, keepAlive: true });
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < groups.length; turn++) {
      const index = (turn + round) % groups.length;
      await measureRates(groups[index], figures[index]);
      await measureEvenness(groups[index], figures[index]);
    }
  }
  const lost = [];
  for (const group of groups) lost.push(await killOne(group));
  reportRates(workers, figures);
  reportEvenness(figures);
  reportLost(lost);
}

async function measureRates(group, { rate, primary, total, kept }) {
  const { port } = group;
  const before = cpuOf(group);
  const connections = await saturate(port, { seconds, keepAlive: false });
  const after = cpuOf(group);
  rate.push(connections / seconds);
  primary.push((after.primary - before.primary) / connections);
  total.push((after.total - before.total) / connections);
  const start = cpuOf(group);
  const responses = await saturate(port, { seconds, keepAlive: true });
  kept.push((cpuOf(group).total - start.total) / responses);
}

async function measureEvenness(group, { atOnce, oneByOne, busy }) {
  const { port } = group;
  atOnce.push(await countsWhile(group, () => Promise.all(Array.from({ length: heldConnections }, () => open(port)))));
  oneByOne.push(await countsWhile(group, () => openInTurn(port)));
  await group.ask({ command: "busy", index: 0, busy: true });
  busy.push(await countsWhile(group, () => openInTurn(port)));
  await group.ask({ command: "busy", index: 0, busy: false });
}

async function open(port) {
  const connection = connect(port);
  if ((await connection.answered) !== "answered") throw new Error("a connection had no response");
  return connection;
}

async function openInTurn(port) {
  const connections = [];
  while (connections.length < heldConnections) connections.push(await open(port));
  return connections;
}

/** The connections of each worker while those that `openAll` opens are open. */
async function countsWhile(group, openAll) {
  while (sum((await group.ask({ command: "count" })).counts) > 0) await wait(5);
  const connections = await openAll();
  const { counts } = await group.ask({ command: "count" });
  for (const { socket } of connections) socket.destroy();
  return counts;
}

/**
 * Stops the last worker, so that it takes no connection, opens connections, then kills it. Resolves with the fate of these and of
 * those that were open before.
 */
async function killOne({ port, pids, ask }) {
  const held = await openInTurn(port);
  const { counts } = await ask({ command: "count" });
  process.kill(pids.at(-1), "SIGSTOP");
  await wait(50);
  const during = Array.from({ length: stoppedConnections }, () => connect(port, 3_000));
  await wait(200);
  process.kill(pids.at(-1), "SIGKILL");
  const ends = await Promise.all(during.map(({ answered }) => answered));
  const heldEnds = await Promise.all(held.map(({ again }) => again()));
  for (const { socket } of [...held, ...during]) socket.destroy();
  return { own: counts.at(-1), held: tally(heldEnds), during: tally(ends) };
}

function reportRates(workers, figures) {
  console.log(
    `\n${workers} workers          connections/s  primary us/conn  all us/conn   ratio  keep-alive us/req  ratio`,
  );
  for (const [index, { rate, primary, total, kept }] of figures.entries()) {
    const cells = [
      median(rate).toFixed(0).padStart(13),
      median(primary).toFixed(1).padStart(17),
      median(total).toFixed(1).padStart(13),
      medianRatio(total, figures[0].total).toFixed(2).padStart(8),
      median(kept).toFixed(1).padStart(19),
      medianRatio(kept, figures[0].kept).toFixed(2).padStart(7),
    ];
    console.log(kinds[index].name.padEnd(18) + cells.join(""));
  }
}

function reportEvenness(figures) {
  const text = (rows) => `${median(rows.map((row) => Math.max(...row)))} (${Math.max(...rows.flat())})`.padStart(18);
  console.log(
    `most of ${heldConnections} connections at one worker, median (worst); with a busy worker: the busy one's`,
  );
  console.log(
    `${"".padEnd(18)}${["opened at once", "one by one", "busy worker"].map((one) => one.padStart(18)).join("")}`,
  );
  for (const [index, { atOnce, oneByOne, busy }] of figures.entries()) {
    const busyOne = busy.map(([first]) => [first]);
    console.log(kinds[index].name.padEnd(18) + text(atOnce) + text(oneByOne) + text(busyOne));
  }
}

function reportLost(lost) {
  console.log(`a worker is stopped, ${stoppedConnections} connections are opened, the worker is killed`);
  for (const [index, { own, held, during }] of lost.entries())
    console.log(`${kinds[index].name.padEnd(18)}it held ${own}; held: ${held}; opened meanwhile: ${during}`);
}

async function start({ script, words, more = [] }, workers) {
  const child = fork(new URL(script, import.meta.url), [...words, String(workers), ...more], { execArgv: [] });
  const next = () => new Promise((resolve) => child.once("message", resolve));
  const ask = (message) => {
    child.send(message);
    return next();
  };
  const { port, pids } = await next();
  return { primary: child, port, pids, ask };
}

function cpuOf({ primary, pids }) {
  const own = usageOfProcess(primary).cpu;
  return { primary: own, total: own + sum(pids.map((pid) => usageOfProcess({ pid }).cpu)) };
}

function tally(ends) {
  const counts = new Map();
  for (const end of ends) counts.set(end, (counts.get(end) ?? 0) + 1);
  return [...counts].map(([end, count]) => `${count} ${end}`).join(", ");
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
