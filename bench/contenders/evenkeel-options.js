import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { createAdmin } from "@evenkeel/admin";
import { listen } from "./listen.js";

/** All features that are on in production. */
export function toOptions(upstreams) {
  return {
    pools: {
      app: { upstreams, balance: "p2c", healthCheck: { path: "/small" }, outlierDetection: {} },
      other: { upstreams: upstreams.slice(0, 1) },
    },
    routes: [
      { host: "other.example", pool: "other" },
      { path: "/other", pool: "other" },
      { path: "/", pool: "app" },
    ],
  };
}

/** The admin API with its metrics on a separate port, and the access log if requested. */
export async function observe(proxy, { log }) {
  await listen(createServer(createAdmin(proxy).handler));
  if (!log) return;
  const file = openSync("/dev/null", "a");
  let lines = "";
  proxy.on("request", (event) => {
    lines += `${JSON.stringify(event)}\n`;
    if (lines.length < 16_384) return;
    writeSync(file, lines);
    lines = "";
  });
}
