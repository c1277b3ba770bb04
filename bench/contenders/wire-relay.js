import { createServer } from "node:http";
import { Http1Transport } from "../../packages/core/dist/transport/http1/http1-transport.js";
import { relayOver } from "../transport/relays.js";
import { byTurns, listen } from "./listen.js";

export function start(urls) {
  const next = byTurns(urls.map((url) => relayOver(Http1Transport, Number(new URL(url).port))));
  return listen(createServer((req, res) => next()(req, res)));
}
