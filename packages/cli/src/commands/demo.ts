import path from "node:path";
import { type DemoPools, startDemoPools, toDemoConfig } from "../demo/demo-pools.ts";
import { describeDemo } from "../demo/demo-summary.ts";
import { DemoTraffic } from "../demo/demo-traffic.ts";
import { findFreePort } from "../demo/free-port.ts";
import { scheduleOutages } from "../demo/outages.ts";
import { Failure } from "../failure.ts";
import { openDiagnostics } from "../log/diagnostics.ts";
import type { StandaloneServer } from "../primary/standalone-server.ts";
import { StatusLine } from "../status-line.ts";
import { serve } from "./serve.ts";

export interface DemoOptions {
  /** The proxy's port; 0 lets the system choose. Default: 8080 or the next free one. */
  readonly port?: string;
  /** False sends no requests through the proxy. */
  readonly traffic?: boolean;
}

/** Outages and requests are the same in every run. */
const outageSeed = 7;
const trafficSeed = 3;
const statusMs = 1_000;

/** Runs three pools of small upstreams, a proxy in front of them, and traffic, until a signal stops it. */
export async function demo({ port, traffic: sendsTraffic = true }: DemoOptions): Promise<void> {
  const ports = await choosePorts(port);
  const statusLine = process.stdout.isTTY ? new StatusLine((text) => process.stdout.write(text)) : undefined;
  const diagnostics = openDiagnostics(statusLine && ((text) => statusLine.print(text)));
  const pools = await startDemoPools();
  const config = toDemoConfig(ports, pools);
  const timers: NodeJS.Timeout[] = [];
  let traffic: DemoTraffic | undefined;
  let endOutages = () => {};
  try {
    await serve(() => config, diagnostics, {
      onReady(server) {
        process.stdout.write(describe(server, pools, sendsTraffic));
        endOutages = scheduleOutages(pools.unreliable, outageSeed);
        if (sendsTraffic) traffic = new DemoTraffic(server.listen[0] ?? "", trafficSeed);
        if (statusLine !== undefined) {
          timers.push(setInterval(() => statusLine.show(describeDemo(server.proxy.snapshot())), statusMs).unref());
        }
      },
      onStopping() {
        traffic?.stop();
        for (const timer of timers) clearInterval(timer);
        statusLine?.show("");
      },
    });
  } finally {
    endOutages();
    traffic?.close();
    for (const upstream of pools.all) upstream.close();
    await diagnostics.close();
  }
}

async function choosePorts(port: string | undefined): Promise<{ proxy: number; admin: number }> {
  if (port === undefined) return { proxy: await findFreePort(8080), admin: await findFreePort(9090) };
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new Failure(`expected a port from 0 to 65535, found ${JSON.stringify(port)}`);
  }
  return { proxy: Number(port), admin: port === "0" ? 0 : await findFreePort(9090) };
}

function describe({ listen: [proxy = ""], admin = "" }: StandaloneServer, pools: DemoPools, traffic: boolean): string {
  const command = nameOfCommand();
  const at = admin.endsWith(":9090") ? "" : ` --admin ${admin}`;
  const [web1] = pools.all;
  return `
  dashboard  ${admin}/
  proxy      ${proxy}/

${
  traffic
    ? "The demo sends about 60 requests per second through the proxy, to three pools:"
    : "The proxy is in front of three pools:"
}

${pools.description.map((line) => `  ${line}`).join("\n")}

In three seconds web-3 goes down, for 15 to 40 seconds, and again soon after it is back. The dashboard shows since when, and why.
Try in another terminal:

  ${command} top${at}
      the same in the terminal

  ${command} weight web/web-2 5${at}
      more requests for web-2, from the next one on

  curl ${proxy}/
      a request of your own, whatever is down

  curl -X POST ${web1?.url}/down
      takes web-1 down for ten seconds

  ${command} failures${at}
      the requests that have failed, and why

Ctrl-C stops the demo.

`;
}

/** How the user can run this command again: as installed, or by its file in a clone of the repository. */
function nameOfCommand(): string {
  const [, file = ""] = process.argv;
  return file.endsWith(".js") ? `node ${path.relative(process.cwd(), file)}` : "evenkeel";
}
