import { type FileConfig, parseConfig } from "@evenkeel/config";
import { DemoUpstream } from "../demo/demo-upstream.ts";
import { findFreePort } from "../demo/free-port.ts";
import { scheduleOutages } from "../demo/outages.ts";
import { describeShares } from "../demo/response-shares.ts";
import { Failure } from "../failure.ts";
import { openDiagnostics } from "../log/diagnostics.ts";
import type { StandaloneServer } from "../primary/standalone-server.ts";
import { StatusLine } from "../status-line.ts";
import { serve } from "./serve.ts";

export interface DemoOptions {
  /** The proxy's port; 0 lets the system choose. Default: 8080 or the next free one. */
  readonly port?: string;
}

/** The outages are the same in every run. */
const outageSeed = 7;
const statusMs = 1_000;

/** Runs three small upstreams and a proxy in front of them, until a signal stops it. */
export async function demo({ port }: DemoOptions): Promise<void> {
  const ports = await choosePorts(port);
  const statusLine = process.stdout.isTTY ? new StatusLine((text) => process.stdout.write(text)) : undefined;
  const diagnostics = openDiagnostics(statusLine && ((text) => statusLine.print(text)));
  const upstreams = await Promise.all([
    DemoUpstream.start("fast", 0),
    DemoUpstream.start("slow", 150),
    DemoUpstream.start("flaky", 0),
  ]);
  const [, , flaky] = upstreams;
  const config = toConfig(ports, upstreams);
  const timers: NodeJS.Timeout[] = [];
  let endOutages = () => {};
  try {
    await serve(() => config, diagnostics, {
      onReady(server) {
        process.stdout.write(describe(server, upstreams));
        endOutages = scheduleOutages(flaky, outageSeed);
        if (statusLine !== undefined) timers.push(setInterval(() => showShares(server, statusLine), statusMs).unref());
      },
      onStopping() {
        for (const timer of timers) clearInterval(timer);
        statusLine?.show("");
      },
    });
  } finally {
    endOutages();
    for (const upstream of upstreams) upstream.close();
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

/** The demo uses a configuration file like every other proxy. */
function toConfig(ports: { proxy: number; admin: number }, upstreams: readonly DemoUpstream[]): FileConfig {
  const members = upstreams.map(({ name, url }) => `  { id = "${name}", url = "${url}" },`).join("\n");
  return parseConfig(
    `
[server]
listen = "127.0.0.1:${ports.proxy}"
shutdownTimeout = "5s"

[admin]
listen = "127.0.0.1:${ports.admin}"

[accessLog]
format = "none"

[pools.demo]
balance = "round-robin"
upstreams = [
${members}
]

[pools.demo.healthCheck]
path = "/healthz"
interval = "1s"
fastInterval = "500ms"
timeout = "1s"
unhealthyThreshold = 2
`,
    { file: "demo.toml", env: {} },
  );
}

function describe({ listen: [proxy], admin }: StandaloneServer, [fast, slow, flaky]: readonly DemoUpstream[]): string {
  return `
Evenkeel in front of three upstreams, which take turns:

  proxy   ${proxy}
  admin   ${admin}
  fast    ${fast?.url}
  slow    ${slow?.url}  responds after 150 ms
  flaky   ${flaky?.url}  goes down now and then

Try in another terminal:

  curl ${proxy}/
      a few times; while flaky is down, the others respond

  curl -X PATCH -H 'content-type: application/json' -d '{"weight": 5}' ${admin}/api/pools/demo/upstreams/fast
      five turns for fast, one for each of the others

  curl -X POST ${fast?.url}/down
      takes fast down for ten seconds; the health checks mark it unhealthy

  curl ${admin}/metrics
      the metrics that Prometheus collects

Ctrl-C stops the demo.

`;
}

function showShares(server: StandaloneServer, statusLine: StatusLine): void {
  const [pool] = server.proxy.snapshot().pools;
  if (pool !== undefined) statusLine.show(describeShares(pool));
}
