import { type FileConfig, parseConfig } from "@evenkeel/config";
import { DemoUpstream } from "./demo-upstream.ts";

/** The upstreams of the demo by pool, with what each of them shows. */
export interface DemoPools {
  readonly all: readonly DemoUpstream[];
  /** Takes a third of the requests of its pool, and is down most of the time. */
  readonly unreliable: DemoUpstream;
  readonly toml: string;
  readonly description: readonly string[];
}

/** Starts the upstreams of three pools, all in this process. */
export async function startDemoPools(): Promise<DemoPools> {
  const [web1, web2, web3, api1, api2, api3, reports1] = await Promise.all([
    DemoUpstream.start("web-1"),
    DemoUpstream.start("web-2"),
    DemoUpstream.start("web-3"),
    DemoUpstream.start("api-1", { delayMs: 5 }),
    DemoUpstream.start("api-2", { delayMs: 5, errorStatus: 503, errorShare: 0.03 }),
    DemoUpstream.start("api-3", { delayMs: 150 }),
    DemoUpstream.start("reports-1", { delayMs: 30, errorStatus: 500, errorShare: 0.03 }),
  ]);
  const toml = `
[defaults.healthCheck]
path = "/healthz"
interval = "1s"
fastInterval = "500ms"
timeout = "1s"
unhealthyThreshold = 2

[[routes]]
path = "/api"
pool = "api"

[[routes]]
path = "/reports"
pool = "reports"

[[routes]]
pool = "web"

[pools.web]
balance = "round-robin"
upstreams = [
  { id = "web-1", url = "${web1.url}", weight = 3 },
  { id = "web-2", url = "${web2.url}" },
  { id = "web-3", url = "${web3.url}" },
]

[pools.api]
balance = "round-robin"
retry = { on = ["connect-failure", "reset", "503"] }
upstreams = [
  { id = "api-1", url = "${api1.url}" },
  { id = "api-2", url = "${api2.url}" },
  { id = "api-3", url = "${api3.url}" },
]

[pools.reports]
upstreams = [{ id = "reports-1", url = "${reports1.url}" }]
`;
  return {
    all: [web1, web2, web3, api1, api2, api3, reports1],
    unreliable: web3,
    toml,
    description: [
      "web      web-1 with weight 3, web-2, and web-3, which is down most of the time: no request fails",
      "api      api-1, api-2 with errors that are retried, and api-3, which responds after 150 ms",
      "reports  reports-1 alone, with errors that clients see",
    ],
  };
}

/** The demo uses a configuration file like every other proxy. */
export function toDemoConfig(ports: { readonly proxy: number; readonly admin: number }, pools: DemoPools): FileConfig {
  const tables = `
[server]
listen = "127.0.0.1:${ports.proxy}"
shutdownTimeout = "5s"

[admin]
listen = "127.0.0.1:${ports.admin}"

[accessLog]
format = "none"
`;
  return parseConfig(`${tables}${pools.toml}`, { file: "demo.toml", env: {} });
}
