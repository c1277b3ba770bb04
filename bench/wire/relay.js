// A relay and nothing more: node:http in front, one way or another to the upstream behind. It is started by run.js as
// `relay.js KIND PORT`, and tells its parent its own port, and when asked what it has used. The kinds: `wire` is our own
// connections, `seam` undici behind the same transport interface, `undici` undici as it comes.

import { createServer } from "node:http";
import { Pool } from "undici";
import { systemRuntime } from "../../packages/core/dist/runtime/runtime.js";
import { Http1Transport } from "../../packages/core/dist/wire/http1-transport.js";
import { UndiciTransport } from "../../packages/core/dist/wire/undici-transport.js";

const [kind, port] = process.argv.slice(2);

/** What belongs to one hop, and what frames the message. */
const dropped = new Set(["connection", "keep-alive", "transfer-encoding", "content-length"]);

function passed(raw) {
  const headers = [];
  for (let index = 0; index < raw.length; index += 2) {
    if (!dropped.has(raw[index].toLowerCase())) headers.push(raw[index], raw[index + 1]);
  }
  return headers;
}

class TransportHandler {
  #res;

  constructor(res) {
    this.#res = res;
  }

  onConnected(exchange) {
    this.#res.on("drain", () => exchange.resume());
  }

  onInformation() {}

  onResponse(status, statusText, headers) {
    this.#res.writeHead(status, statusText, headers);
  }

  onData(chunk) {
    return this.#res.write(chunk);
  }

  onFlush() {}

  onComplete() {
    this.#res.end();
  }

  onFailure() {
    this.#res.destroy();
  }

  onDrain() {}
}

function relayOver(Transport) {
  const address = { tls: false, hostname: "127.0.0.1", port: Number(port), socketPath: undefined, basePath: "" };
  const settings = {
    connections: { max: 0, keepAliveMs: 60_000, http2: false },
    timeouts: { connectMs: 3_000, headersMs: 30_000, idleMs: 60_000, totalMs: 0 },
    tls: { verify: true, ca: undefined, cert: undefined, key: undefined, servername: undefined },
  };
  const transport = new Transport({ ...address, host: `127.0.0.1:${port}` }, settings, systemRuntime);
  return (req, res) => {
    const head = { method: req.method, path: req.url, headers: passed(req.rawHeaders), bodyLength: 0 };
    transport.dispatch({ ...head, headersTimeoutMs: 0, freshConnection: false }, new TransportHandler(res));
  };
}

class UndiciHandler {
  #res;

  constructor(res) {
    this.#res = res;
  }

  onConnect() {}

  onHeaders(status, raw, resume, statusText) {
    this.#res.on("drain", resume);
    this.#res.writeHead(
      status,
      statusText,
      raw.map((bytes) => bytes.latin1Slice()),
    );
    return true;
  }

  onData(chunk) {
    return this.#res.write(chunk);
  }

  onComplete() {
    this.#res.end();
  }

  onError() {
    this.#res.destroy();
  }
}

function relayOverUndici() {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: null, pipelining: 1, keepAliveTimeout: 60_000 });
  return (req, res) => {
    pool.dispatch(
      { method: req.method, path: req.url, headers: passed(req.rawHeaders), body: null },
      new UndiciHandler(res),
    );
  };
}

let peakRss = 0;
setInterval(() => {
  peakRss = Math.max(peakRss, process.memoryUsage.rss());
}, 50).unref();

const relays = {
  wire: () => relayOver(Http1Transport),
  seam: () => relayOver(UndiciTransport),
  undici: relayOverUndici,
};
const server = createServer(relays[kind]());
server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => process.send({ port: server.address().port }));
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send({ user, system, peakRss });
});
process.on("disconnect", () => process.exit());
