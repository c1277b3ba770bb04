// A group whose primary accepts and hands each socket over: `handover.js WINDOW WORKERS [json|advanced]`.

import { fork } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { followCommands } from "./commands.js";

const [window, count, serialization = "advanced"] = process.argv.slice(2);
const waiting = [];
const workers = Array.from({ length: Number(count) }, () => {
  const child = fork(new URL("handover-worker.js", import.meta.url), [], { execArgv: [], serialization });
  const worker = { child, alive: true, open: 0, unacked: new Map() };
  child.on("message", ({ ack, open }) => {
    if (ack === undefined) return;
    worker.open = open;
    worker.unacked.get(ack)?.destroy();
    worker.unacked.delete(ack);
    handOver();
  });
  child.on("exit", () => {
    worker.alive = false;
    waiting.unshift(...worker.unacked.values());
    worker.unacked.clear();
    handOver();
  });
  // A send to a worker that has just died: its exit follows.
  child.on("error", () => {});
  return worker;
});
let next = 0;

function handOver() {
  while (waiting.length > 0) {
    const worker = choose();
    if (worker === undefined) return;
    const socket = waiting.shift();
    worker.unacked.set(++next, socket);
    worker.child.send({ socket: next }, socket, { keepOpen: true }, () => {});
  }
}

/** The worker with the fewest connections: those of its last report and those on their way to it. */
function choose() {
  let chosen;
  let least = Infinity;
  for (const worker of workers) {
    const { alive, open, unacked } = worker;
    if (!alive || unacked.size >= Number(window) || open + unacked.size >= least) continue;
    least = open + unacked.size;
    chosen = worker;
  }
  return chosen;
}

const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
  socket.on("error", () => {});
  waiting.push(socket);
  handOver();
});
await Promise.all(workers.map(({ child }) => once(child, "spawn")));
await once(server.listen(0, "127.0.0.1"), "listening");
followCommands(
  server.address().port,
  workers.map(({ child }) => child),
);
