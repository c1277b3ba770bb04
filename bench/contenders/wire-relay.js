import { createServer } from "node:http";
import { relayOverWire } from "../transport/relays.js";
import { byTurns, listen } from "./listen.js";

export function start(urls) {
  const next = byTurns(urls.map((url) => relayOverWire(Number(new URL(url).port))));
  return listen(createServer((req, res) => next()(req, res)));
}
