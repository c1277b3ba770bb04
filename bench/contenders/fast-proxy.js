import { createServer } from "node:http";
import fastProxy from "fast-proxy";
import { undiciOptions } from "./agent.js";
import { byTurns, listen } from "./listen.js";

export function start(urls) {
  const next = byTurns(urls.map((base) => fastProxy({ base, undici: undiciOptions }).proxy));
  return listen(createServer((req, res) => next()(req, res, req.url, {})));
}
