import { createServer } from "node:net";
import { relayOverWire } from "../transport/relays.js";
import { byTurns, listen } from "./listen.js";

const requestLine = /^([A-Z]+) (\S+) HTTP\/1\.1$/;

/**
 * A server that reads GET requests, one at a time on each connection, and checks nothing, in front of Evenkeel's connections to
 * upstreams. The least that a proxy on node:net costs: no limit, no error and no timeout is handled.
 */
export function start(urls) {
  const next = byTurns(urls.map((url) => relayOverWire(Number(new URL(url).port))));
  return listen(createServer((socket) => serve(socket, next)));
}

function serve(socket, next) {
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    const [line, ...fields] = bytes.latin1Slice(0, bytes.length - 4).split("\r\n");
    const [, method, url] = requestLine.exec(line);
    const rawHeaders = fields.flatMap((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon), field.slice(colon + 2)];
    });
    next()({ method, url, rawHeaders }, new BatchedResponse(socket));
  });
}

let batch = [];

/** Writes complete responses together at the end of the turn. */
class BatchedResponse {
  #socket;
  #text = "";

  constructor(socket) {
    this.#socket = socket;
  }

  on() {}

  writeHead(status, statusText, raw) {
    let text = `HTTP/1.1 ${status} ${statusText}\r\n`;
    for (let index = 0; index < raw.length; index += 2) text += `${raw[index]}: ${raw[index + 1]}\r\n`;
    this.#text = `${text}\r\n`;
  }

  write(chunk) {
    this.#text += chunk.latin1Slice();
    return true;
  }

  end() {
    if (batch.push(this) === 1) setImmediate(BatchedResponse.#send);
  }

  destroy() {
    this.#socket.destroy();
  }

  static #send() {
    const waiting = batch;
    batch = [];
    for (const response of waiting) response.#socket.write(response.#text, "latin1");
  }
}
