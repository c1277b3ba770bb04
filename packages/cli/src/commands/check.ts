import { type AccessLogConfig, type FileConfig, loadConfig } from "@evenkeel/config";
import {
  type DiscoveryOptions,
  formatListenAddress,
  maskSecrets,
  Pool,
  type PoolOptions,
  type PoolSettings,
  type ProxyOptions,
  type RouteOptions,
} from "evenkeel";
import { configWarnings } from "../config-warnings.ts";
import { checkAccessLog } from "../log/access-log.ts";
import { toSafeText } from "../log/escape.ts";
import { readTlsFiles } from "../serving/tls-files.ts";
import { printJson } from "../table.ts";

export interface CheckOptions {
  readonly json?: boolean;
}

/** Validates a configuration file and prints a summary. Throws for an invalid one. */
export function check(file: string, { json = false }: CheckOptions): void {
  const config = loadConfig(file);
  const tls = config.server.tls && readTlsFiles(config.server.tls);
  checkAccessLog(config.accessLog);
  const warnings = configWarnings(config, tls, Date.now());
  if (json) return printJson({ valid: true, file, warnings });
  for (const warning of warnings) {
    process.stderr.write(`evenkeel: warning: ${toSafeText(warning)}\n`);
  }
  process.stdout.write(`${toSafeText(file)} is valid.\n\n${summarize(config)}`);
}

/** Lists the listeners, the routes in the order of matching, and the pools with their upstreams. */
function summarize({ options, server, admin, accessLog, tracing }: FileConfig): string {
  const { pools, routes, defaults } = toManyPools(options);
  const scheme = server.tls === undefined ? "http" : "https";
  const lines = [
    `listen      ${server.listen.map((address) => `${scheme} on ${formatListenAddress(address)}`).join(", ")}`,
    `admin       ${describeAdmin(admin)}`,
    `access log  ${describeLog(accessLog)}`,
    ...(tracing === undefined
      ? []
      : [`tracing     ${Math.round(tracing.sampleRatio * 1_000) / 10} % of new traces, by OTLP`]),
    "",
    "routes, the first match wins",
    ...routes.map((route) => `  ${describeRoute(route)}`),
  ];
  for (const [name, pool] of Object.entries(pools)) lines.push("", ...describePool(name, pool, defaults));
  return `${lines.map(toSafeText).join("\n")}\n`;
}

function toManyPools(options: ProxyOptions): {
  readonly pools: Readonly<Record<string, PoolOptions>>;
  readonly routes: readonly RouteOptions[];
  readonly defaults: PoolSettings;
} {
  if (!("pools" in options)) {
    const { routes = [{}], ...pool } = options;
    return { pools: { default: pool }, routes: routes.map((route) => ({ pool: "default", ...route })), defaults: {} };
  }
  const { pools, routes = [{}], defaults = {} } = options;
  const [only = ""] = Object.keys(pools);
  return { pools, routes: routes.map((route) => ({ pool: only, ...route })), defaults };
}

function describeAdmin(admin: FileConfig["admin"]): string {
  if (admin === undefined) return "off";
  const { listen, token, readToken, dashboard } = admin;
  const tokens = readToken === undefined ? ", with a token" : ", with a token, and one that may only read";
  return `on ${formatListenAddress(listen)}${token === undefined ? "" : tokens}${dashboard ? "" : ", no dashboard"}`;
}

function describeLog({ format, path, fields }: AccessLogConfig): string {
  const changed =
    fields === undefined ? "" : fields.preset === undefined ? ", own fields" : `, ${fields.preset} fields`;
  return format === "none" ? "off" : `${format} to ${path}${changed}`;
}

function describeRoute({ host = "*", path = "/", methods, pool }: RouteOptions): string {
  const prefix = path === "/" ? "/*" : `${path}, ${path}/*`;
  return `${[host].flat().join(", ")}  ${methods === undefined ? "" : `${methods.join(" ")} `}${prefix}  ->  ${pool}`;
}

function describePool(name: string, options: PoolOptions, defaults: PoolSettings): string[] {
  const { balance, healthCheck, discovery } = { ...defaults, ...options };
  const { upstreams, policy } = new Pool(name, {
    ...(options.upstreams !== undefined && { upstreams: options.upstreams }),
    ...(balance !== undefined && { balance }),
  }).snapshot();
  const { type = "http", path = "/", interval = "5s" } = healthCheck ?? {};
  const checks =
    healthCheck === undefined
      ? "no health checks"
      : `${type === "tcp" ? "connect" : type === "grpc" ? "gRPC" : `GET ${maskSecrets(path)}`} every ${interval}`;
  return [
    `pool ${name}: ${policy}, ${checks}`,
    ...upstreams.map(({ id, url, weight, backup, maxInFlight }) => {
      const limit = maxInFlight === null ? "" : `, at most ${maxInFlight} in flight`;
      return `  ${id}  ${url}, weight ${weight}${backup ? ", backup" : ""}${limit}`;
    }),
    ...(discovery === undefined ? [] : [describeDiscovery(discovery)]),
  ];
}

function describeDiscovery({ type, name, refresh = "30s" }: DiscoveryOptions): string {
  return `  the upstreams in ${type === "srv" ? "SRV" : "A and AAAA"} records of ${name}, looked up every ${refresh}`;
}
