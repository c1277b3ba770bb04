import path from "node:path";
import { ask, end, nextMessage, startCommand, startScript } from "../machine/children.js";
import { accepting, freePorts } from "../machine/ports.js";
import { usageOfProcess } from "../machine/usage.js";
import { writeCliConfig } from "./cli-config.js";
import { writeHaproxyConfig } from "./haproxy-config.js";
import { writeNginxConfig } from "./nginx-config.js";

const reporting = ["--expose-gc", "--import", new URL("../machine/report-usage.js", import.meta.url).href];
const cli = path.resolve(import.meta.dirname, "../../packages/cli/bin/evenkeel.js");

const ways = { node: startNode, cli: startCli, nginx: startNginx, haproxy: startHaproxy, direct: startNothing };

/**
 * Starts a contender with upstreams on these ports. Resolves with its port, a function that returns its resource usage, and one
 * that stops it.
 */
export async function startContender(contender, ports, nodeOptions = []) {
  const started = await ways[contender.type](contender, ports, nodeOptions);
  await accepting(started.port);
  return { contender, ...started };
}

async function startNode({ module, log = false, options = {} }, ports, nodeOptions) {
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const script = path.join(import.meta.dirname, "node-proxy.js");
  const words = [module, JSON.stringify(urls), JSON.stringify({ ...options, log })];
  const child = startScript("proxy", script, words, [...reporting, ...nodeOptions]);
  return { ...(await nextMessage(child)), ...scriptControls(child) };
}

async function startCli({ log = false, h2c = false }, ports) {
  const [port, adminPort] = await freePorts(2);
  const child = startScript("proxy", cli, ["run", writeCliConfig({ port, adminPort, ports, log, h2c })], reporting);
  return { port, ...scriptControls(child) };
}

async function startNginx({ buffering, http2 = false }, ports) {
  const [port] = await freePorts(1);
  const { file, log } = writeNginxConfig({ port, ports, buffering, http2 });
  return { port, ...commandControls(startCommand("proxy", ["nginx", "-e", log, "-c", file])) };
}

async function startHaproxy(_contender, ports) {
  const [port] = await freePorts(1);
  return {
    port,
    ...commandControls(startCommand("proxy", ["haproxy", "-db", "-q", "-f", writeHaproxyConfig({ port, ports })])),
  };
}

function startNothing(_contender, [port]) {
  return { port, usage: async () => ({ cpu: 0, rss: 0, peakRss: 0 }), stop: async () => {} };
}

function scriptControls(child) {
  return {
    usage: (options) => ask(child, { usage: true, ...options }),
    /** If report-heap.js is loaded. */
    heap: (options) => ask(child, { heap: true, ...options }),
    stop: () => end(child),
    /** Ends the process normally, so that profiles are written. */
    leave: () => {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.disconnect();
      return gone;
    },
  };
}

function commandControls(child) {
  return { usage: async () => usageOfProcess(child), stop: () => end(child) };
}
