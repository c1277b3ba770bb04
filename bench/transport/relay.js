// One relay, in a process of its own. It is started by run.js as `relay.js KIND PORT`, and tells its parent its own port,
// and when asked what it has used. The kinds: `wire` is our own connections, `undici` undici as it comes.

import { createServer } from "node:http";
import { relayOverUndici, relayOverWire } from "./relays.js";

const [kind, port] = [process.argv[2], Number(process.argv[3])];

let peakRss = 0;
setInterval(() => {
  peakRss = Math.max(peakRss, process.memoryUsage.rss());
}, 50).unref();

const relays = {
  wire: () => relayOverWire(port),
  undici: () => relayOverUndici(port),
};
const server = createServer(relays[kind]());
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => process.send({ port: server.address().port }));
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send({ user, system, peakRss });
});
process.on("disconnect", () => process.exit());
