// One relay in its own process. run.js starts it as `relay.js KIND PORT`. It sends its port to its parent, and on request its
// resource usage. The kinds: `wire` uses our own connections, `undici` plain undici.

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
