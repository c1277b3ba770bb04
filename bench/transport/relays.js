// Bare relays: node:http for clients, and different clients for the upstream. Only `undici` accepts request bodies. They change no
// header.

import { Pool } from "undici";
import { resolvePool } from "../../packages/core/dist/config/resolve.js";
import { systemRuntime } from "../../packages/core/dist/runtime/runtime.js";
import { Connector } from "../../packages/core/dist/transport/connector.js";
import { createTransport } from "../../packages/core/dist/transport/create-transport.js";

/** Hop-by-hop and framing headers. */
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
    // Its memory is reused for the next read.
    return this.#res.write(Buffer.from(chunk));
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

/** Over the transport of packages/core/src/transport. */
export function relayOverWire(port) {
  const address = { tls: false, hostname: "127.0.0.1", port, socketPath: undefined, basePath: "" };
  const settings = resolvePool({ upstreams: [`http://127.0.0.1:${port}`], connections: { keepAlive: "60s" } });
  const upstream = { ...address, host: `127.0.0.1:${port}` };
  const transport = createTransport(upstream, settings, systemRuntime, new Connector());
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

/** Over plain undici. */
export function relayOverUndici(port) {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: null, pipelining: 1, keepAliveTimeout: 60_000 });
  return (req, res) => {
    const headers = passed(req.rawHeaders);
    const length = req.headers["content-length"];
    const bodied = length !== undefined || req.headers["transfer-encoding"] !== undefined;
    if (length !== undefined) headers.push("content-length", length);
    pool.dispatch({ method: req.method, path: req.url, headers, body: bodied ? req : null }, new UndiciHandler(res));
  };
}
