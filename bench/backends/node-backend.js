// A Node backend, started as `node-backend.js COUNT`: listens on COUNT ports, and sends them to its parent. It responds like
// nginx, and supports what nginx cannot: uploads that are read to their end, WebSockets, endless bodies.

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { bodies, headers } from "./answers.js";
import { echoFrames } from "./echo-frames.js";

const piece = Buffer.alloc(65_536, "x");

const answers = {
  /** The received request as JSON: raw headers, bytes of the body, and their hash. */
  "/echo": async (req, res) => {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of req) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    const { method, url, rawHeaders } = req;
    const port = req.socket.localPort;
    answer(res, JSON.stringify({ method, url, rawHeaders, bytes, hash: hash.digest("hex"), port }));
  },
  "/upload": (req, res) => {
    let bytes = 0;
    req.on("data", (chunk) => {
      bytes += chunk.length;
    });
    req.on("end", () => answer(res, `${bytes} bytes`));
  },
  /** The number of bytes in the query, with backpressure. */
  "/stream": (_req, res, query) => {
    let left = Number(query);
    res.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": left });
    const go = () => {
      while (left > 0) {
        const part = left < piece.length ? piece.subarray(0, left) : piece;
        left -= part.length;
        if (!res.write(part)) return;
      }
      res.end();
    };
    res.on("drain", go);
    go();
  },
};

const ports = await Promise.all(Array.from({ length: Number(process.argv[2]) }, listen));
process.on("disconnect", () => process.exit());
process.send({ ports });

function listen() {
  const server = createServer({ keepAliveTimeout: 600_000, requestTimeout: 0 }, (req, res) => {
    const [target, query] = req.url.split("?");
    if (Object.hasOwn(answers, target)) return answers[target](req, res, query);
    if (Object.hasOwn(bodies, target)) return answer(res, bodies[target]);
    res.writeHead(404).end();
  });
  server.on("upgrade", (req, socket) => {
    const accept = createHash("sha1").update(`${req.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
    socket.write(
      ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        .concat(`Sec-WebSocket-Accept: ${accept.digest("base64")}`, "\r\n")
        .join("\r\n"),
    );
    echoFrames(socket);
  });
  return new Promise((resolve) => {
    server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => resolve(server.address().port));
  });
}

function answer(res, body) {
  res.writeHead(200, { "Content-Type": "text/plain", "Content-Length": Buffer.byteLength(body), ...headers });
  res.end(body);
}
