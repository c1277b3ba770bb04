import { readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { has, output, versionOf } from "./commands.js";
import { pinning } from "./cpus.js";

const root = path.resolve(import.meta.dirname, "../..");
const peers = [
  "undici",
  "express",
  "fastify",
  "http-proxy",
  "httpxy",
  "http-proxy-middleware",
  "@fastify/http-proxy",
  "fast-proxy",
];

/** The environment of a measurement. */
export function facts() {
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: output("git", ["-C", root, "rev-parse", "--short", "HEAD"]) ?? "unknown",
    node: process.version,
    machine: {
      cpu: os.cpus()[0]?.model ?? "unknown",
      cores: os.availableParallelism(),
      memory: os.totalmem(),
      system: `${os.type()} ${os.release()}`,
      load: os.loadavg()[0],
      pinning,
    },
    versions: versions(),
  };
}

function versions() {
  const found = { evenkeel: versionIn(path.join(root, "packages/core")) };
  for (const name of peers) found[name] = versionIn(path.join(root, "bench/node_modules", name));
  const own = createRequire(realpathSync(path.join(root, "bench/node_modules/fast-proxy/index.js")));
  found["undici of fast-proxy"] = own("undici/package.json").version;
  for (const name of ["nginx", "haproxy", "wrk"]) if (has(name)) found[name] = versionOf(name);
  return found;
}

function versionIn(folder) {
  return JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")).version;
}
