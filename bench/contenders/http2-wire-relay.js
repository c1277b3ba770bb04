import { createServer } from "node:http2";
import { relayOverWire } from "../transport/relays.js";
import { byTurns, listen } from "./listen.js";

/** The stream API of node:http2, without its compatibility layer, in front of Evenkeel's connections to upstreams. */
export function start(urls) {
  const next = byTurns(urls.map((url) => relayOverWire(Number(new URL(url).port))));
  const server = createServer();
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    next()(toRequest(headers), new StreamResponse(stream));
  });
  return listen(server);
}

function toRequest(headers) {
  const rawHeaders = ["Host", headers[":authority"]];
  for (const name in headers) if (name[0] !== ":") rawHeaders.push(name, headers[name]);
  return { method: headers[":method"], url: headers[":path"], rawHeaders };
}

/** The methods of a `ServerResponse` that a relay calls. */
class StreamResponse {
  #stream;

  constructor(stream) {
    this.#stream = stream;
  }

  on(event, listener) {
    this.#stream.on(event, listener);
  }

  writeHead(status, _statusText, raw) {
    const headers = { ":status": status };
    for (let index = 0; index < raw.length; index += 2) {
      const name = raw[index].toLowerCase();
      if (name !== "connection" && name !== "keep-alive") headers[name] = raw[index + 1];
    }
    this.#stream.respond(headers);
  }

  write(chunk) {
    return this.#stream.write(chunk);
  }

  end() {
    this.#stream.end();
  }

  destroy() {
    this.#stream.close();
  }
}
