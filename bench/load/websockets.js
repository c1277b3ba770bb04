import net from "node:net";

const payload = 64;
/** A masked binary frame, and its echo without a mask. */
const frame = Buffer.concat([Buffer.from([0x82, 0x80 | payload, 7, 7, 7, 7]), Buffer.alloc(payload, "x")]);
const echoBytes = 2 + payload;

const handshake = [
  "GET /socket HTTP/1.1",
  "Host: bench.example",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "\r\n",
].join("\r\n");

/** The open sockets, over several tasks. */
let held = [];

/** Each connection sends its next message after the echo of the previous one. */
export async function echo({ port, connections, seconds }) {
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)));
  const started = performance.now();
  const counts = await Promise.all(sockets.map((socket) => playEcho(socket, started + seconds * 1_000)));
  for (const socket of sockets) socket.destroy();
  return { answers: counts.reduce((sum, count) => sum + count, 0), seconds: (performance.now() - started) / 1_000 };
}

/** Opens sockets with one message each, which then stay idle and open until `release`. */
export async function hold({ port, count }) {
  while (held.length < count) {
    const some = Array.from({ length: Math.min(50, count - held.length) }, () => open(port));
    const sockets = await Promise.all(some);
    await Promise.all(sockets.map((socket) => playEcho(socket, 0)));
    held.push(...sockets);
  }
}

export async function release() {
  for (const socket of held) socket.destroy();
  held = [];
}

function playEcho(socket, until) {
  return new Promise((resolve, reject) => {
    let count = 0;
    let bytes = 0;
    const onData = (chunk) => {
      bytes += chunk.length;
      if (bytes < echoBytes) return;
      if (bytes > echoBytes) return reject(new Error("more came back than was sent"));
      bytes = 0;
      count++;
      if (performance.now() < until) return socket.write(frame);
      socket.off("data", onData).off("close", onClose);
      resolve(count);
    };
    const onClose = () => reject(new Error("a tunnel was closed"));
    socket.on("data", onData).on("close", onClose);
    socket.write(frame);
  });
}

function open(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true }, () => socket.write(handshake));
    let head = "";
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed before the 101")));
    socket.on("data", function onData(bytes) {
      head += bytes.latin1Slice();
      if (!head.includes("\r\n\r\n")) return;
      socket.off("data", onData);
      if (head.startsWith("HTTP/1.1 101") && head.endsWith("\r\n\r\n")) resolve(socket);
      else reject(new Error(head));
    });
  });
}
