// A group of workers of node:cluster: `cluster.js none|rr WORKERS`.

import cluster from "node:cluster";
import { once } from "node:events";
import net from "node:net";
import { followCommands } from "./commands.js";
import { onCommand, serve } from "./trivial-server.js";

const [policy, workers] = process.argv.slice(2);

if (cluster.isPrimary) {
  cluster.schedulingPolicy = policy === "rr" ? cluster.SCHED_RR : cluster.SCHED_NONE;
  const forked = Array.from({ length: Number(workers) }, () => cluster.fork());
  const addresses = await Promise.all(forked.map((worker) => once(worker, "listening")));
  followCommands(
    addresses[0][0].port,
    forked.map((worker) => worker.process),
  );
} else {
  net.createServer({ allowHalfOpen: true }, serve).listen(0, "127.0.0.1");
  process.on("message", onCommand);
}
